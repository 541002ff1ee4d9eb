# cagsr-view: the terminal and SVG, against pictures that were looked at; what it refuses.
. "$KIT"
need python3
G=$SRC/tests/golden/view
unset NO_COLOR COLORTERM COLORFGBG COLUMNS

# The same picture as the golden one, or with REGEN=1 that one made anew.
golden() { # NAME ARGS
    name=$1
    shift
    cagsr-view -s "$@" >"$name"
    [ "${REGEN:-}" != 1 ] || cp "$name" "$G/$name"
    cmp "$name" "$G/$name" && echo "$name same"
}

cagsr-reward <"$G/run.jsonl" >run.rec # the header has no path that differs from place to place
echo "-- terminal: the first prompt, its best and its worst candidate"
cagsr-view run.rec
echo "-- all candidates of another, layers and heads apart"
cagsr-view -a -i hats run.rec
echo "-- one step, one layer, one head; shares; the template, too"
cagsr-view -i hats -c 1 -T 2 -l 6 --head 1 run.rec | sed -n '/^#/,/prompt/p'
cagsr-view -c 0 --share --over mean -w --width 200 run.rec | grep prompt
echo "-- what cagsr-reward explains is what is found without"
cagsr-reward --explain=record "$G/run.jsonl" | cagsr-view -n 2 -a >explained
cagsr-view -n 2 -a run.rec | cmp - explained && echo same
echo "-- other weights: known if they were written, never guessed"
cagsr-reward -w lexical=1 "$G/run.jsonl" | cagsr-view -c 0 | grep -E '^ +(values|sum|C )' || :
cagsr-reward --explain=record -w lexical=1 "$G/run.jsonl" | cagsr-view -c 0 | grep -E '^ +sum'
echo "-- without attention, without text, without reward"
cagsr-cat -F kind,id,cand,prompt_ids,ids run.rec | cagsr-view
echo "-- colours: none into a pipe, none under NO_COLOR or on a dumb terminal"
esc=$(printf '\033')
count() { grep -c "$esc\[48;$1" || :; }
cagsr-view run.rec | count ''
cagsr-view --color always run.rec | count 2
cagsr-view --color 256 run.rec | count 5
cagsr-view --color 256 run.rec | count 2
cagsr-view --color never run.rec | count ''
echo "-- no escape of a model's reaches the terminal"
cagsr-view -c 2 run.rec | grep -c "$esc" || :
cagsr-view -c 2 --color always run.rec | grep -c "$esc\[31m" || :
echo "-- width"
for w in 50 51 64 72 80 100; do
    COLUMNS=$w cagsr-view -a -n 9 run.rec | python3 -c '
import sys, unicodedata
for line in sys.stdin.buffer.read().decode().splitlines():
    wide = sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)
    if wide > int(sys.argv[1]):
        print("of %s columns:" % sys.argv[1], wide, line)' $w
done
cagsr-view --width 120 run.rec | awk 'length($0) > 110 { n++ } END { print (n > 0) }'
echo "-- curves"
cagsr-view -r cagsr="$G/seed1.jsonl" -r cagsr="$G/seed2.jsonl" -r random="$G/random.jsonl"
cagsr-view -F seconds "$G/seed1.jsonl"
cagsr-view -x objective/kl -F reward "$G/seed1.jsonl"
echo "-- nine sets: colours come again with dashes, the legend has lines"
set --
for i in 1 2 3 4 5 6 7 8 9; do
    cp "$G/seed1.jsonl" run$i.jsonl
    set -- "$@" -r "set $i=run$i.jsonl"
done
cagsr-view -s -F reward "$@" | grep -oE 'dasharray="[^"]*"|d="M[0-9.]+ [0-9]+h22' | sed 's/M[0-9.]* /M /' | sort | uniq -c | tr -s ' '
echo "-- tables of a run, alone and beside a stream"
printf 'step\treward\n1\t0.5\n2\t1.5\n' >metrics.tsv
printf 'step\treward\n0\t0.25\n2\t1.25\n' >eval.tsv
cagsr-view metrics.tsv eval.tsv
cagsr-view -F eval/reward "$G/seed1.jsonl" eval.tsv
echo '{"kind":"metric","reward":1.0}' | cagsr-view metrics.tsv - 2>&1 | head -n 1
echo "-- a directory is a run of cagsr-loop: its steps in order, not one under way, and evaluations"
mkdir -p run/step-000000 run/step-000001 run/step-000002 run/step-000003.tmp9 empty
cp run.rec run/step-000001/samples
cagsr-cat -s "$G/run.jsonl" | cagsr-reward -o run/step-000002/samples
for k in 1 2 3; do echo "{\"kind\":\"metric\",\"step\":$k,\"reward\":$k.5}"; done >three
sed -n 1p three >run/step-000001/metrics.jsonl
sed -n 2p three >run/step-000002/metrics.jsonl
sed -n 3p three >run/step-000003.tmp9/metrics.jsonl
printf 'step\treward\n0\t0.25\n2\t1.25\n' >run/eval.tsv
cagsr-view run | tail -n 3
cagsr-view -H run | grep -oE '"run/step-00000[0-9]/samples"' | uniq -c | tr -s ' '
cagsr-view -H run | grep '<title>'
cagsr-view -p curves -r a=run -r b=run/eval.tsv | sort
cat three >empty/metrics.jsonl
cagsr-view empty | tail -n 1
rm empty/metrics.jsonl
status cagsr-view empty
echo "-- SVG"
golden attn.svg -c 2 --title 'A <title> & more' run.rec
golden heads.svg -i hats -l 6 --head 1 run.rec
golden reward.svg -p reward run.rec
golden against.svg -x objective/kl -r cagsr="$G/seed1.jsonl" -r cagsr="$G/seed2.jsonl" -r random="$G/random.jsonl"
golden curves.svg -r cagsr="$G/seed1.jsonl" -r cagsr="$G/seed2.jsonl" -r random="$G/random.jsonl"
echo "-- they are XML"
for f in attn heads reward curves against; do
    python3 -c "import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])" $f.svg
done
echo "-- HTML: no markup of a model's, one script that may run, nothing to fetch"
cagsr-view -H -o run.html run.rec "$G/seed1.jsonl"
grep -c '<b>"R' run.html || :
grep -o '<script[^>]*>' run.html | sort | uniq -c | tr -s ' '
grep -oE '(src|href)="[^"#]*"|https?://[^" ]*|@import|url\(' run.html | sort -u
hash=$(sed -n '/<script>/,/<\/script>/p' run.html | sed '1s/.*<script>//; s/<\/script>.*//' |
    python3 -c "import sys, hashlib, base64
print(base64.b64encode(hashlib.sha256(sys.stdin.buffer.read()[:-1]).digest()).decode())")
grep -c "script-src 'sha256-$hash'" run.html
echo "-- the same input, the same bytes; a pipe will do"
cagsr-view -H <run.rec >a.html
cagsr-view -H <run.rec | cmp - a.html && echo same
echo "-- 200 prompts of 8 answers, 64 tokens that read 67: under 10 MB"
large_run | cagsr-view -H | wc -c | awk '{ print ($1 > 5e6 && $1 < 1e7 ? "yes" : $1) }'
echo "-- refused"
status cagsr-view -s -H run.rec
status cagsr-view -i nobody run.rec
status cagsr-view -c 9 run.rec
status cagsr-view -c 0 -T 9 run.rec
status cagsr-view -l 2 run.rec
status cagsr-view -p curves run.rec
status cagsr-view -F no "$G/seed1.jsonl"
status cagsr-view -x no "$G/seed1.jsonl"
status cagsr-view -r nameless run.rec
printf 'reward\n1\n' >eval.tsv
status cagsr-view eval.tsv
cagsr-cat -F kind,id,prompt_ids,ids run.rec | status cagsr-view -s
head -c 3000 run.rec >cut.rec
status cagsr-view -o cut.svg -s cut.rec
ls cut.svg 2>/dev/null || echo "no file"
[ ! -e /dev/full ] || { cagsr-view run.rec >/dev/full; } 2>&1 | sed 's/:.*full/: full/' || :
