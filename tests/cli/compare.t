# examples/compare: every system runs, on a world in small; a rerun of a cell gives its bytes.
. "$KIT"
need jq
tiny=$SRC/examples/tiny-qa
compare=$SRC/examples/compare
export BUILD="${BUILD:-$SRC/build}"

cat >small.sh <<END
. "$compare/settings/tiny-qa.sh"
steps=2 eval_steps='1 2' batch=4 n=4 eval_n=2 calibrate=24 pairs=40 rm_epochs=1
END
awk -f "$tiny/world.awk" -v what=prompts -v n=40 -v seed=5 >prompts.jsonl
head -n 12 "$tiny/questions.jsonl" >eval.jsonl
run() { # OUT, and more options
    where=$1
    shift
    "$compare/run.sh" -c "$PWD/small.sh" -e eval.jsonl -s 1 "$@" "$tiny/model" prompts.jsonl "$where"
}

echo "-- all systems"
run out 2>log || cat log
grep -v 'to be run' log
echo "-- numbers of each"
awk -F '\t' 'NR > 1 { n[$2]++ } END { for (s in n) print s, n[s] }' out/results.tsv | sort
head -n 1 out/table.tsv
awk -F '\t' 'NR > 1 && $5 == "t1" && $6 == "right" && ($7 < 0 || $7 > 1) { print "no share:", $0 }' out/results.tsv
echo "-- the page: two pictures for each question, a table for each decoding, nothing to fetch"
grep -c '</svg>' out/report.html
grep -c '</table>' out/report.html
grep -c '<th scope="row">' out/report.html
grep -oE '(src|href)="[^"]*"|https?://[^" ]*|@import|url\(|<script' out/report.html | sort -u
grep -o '>best-of-n</text>' out/report.html | wc -l
echo "-- two seeds: means, their range, bands; names are text"
mkdir -p two/1 two/2
cp -r out/1/start out/1/grpo out/1/best-of-n two/1
for system in start grpo best-of-n; do
    mkdir two/2/$system
    awk -F '\t' -v OFS='\t' '{ $1 = 2; if ($6 == "reward") $7 += 1; print }' out/1/$system/rows.tsv >two/2/$system/rows.tsv
done
mkdir 'two/1/a&b'
sed 's/\tgrpo\t/\ta\&b\t/' out/1/grpo/rows.tsv >'two/1/a&b/rows.tsv'
"$compare/report.sh" two
awk -F '\t' 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "reward") k = i; next }
    $1 == "start" && $2 == "t1" { split($k, x, /[][, ]+/); printf "%d seeds, range %.3f\n", $3, x[3] - x[2] }' two/table.tsv
grep -c 'one standard deviation to both sides' two/report.html
grep -o 'a&amp;b</th>' two/report.html | sort | uniq -c | tr -s ' '
echo "-- four passes over a batch go with a quarter of the rate"
cat out/1/*/run/settings | sed -n 's/^algo \([a-z]* lr [^ ]*\).*/\1/p' | sort -u
echo "-- of the start, the policy has not moved; later it has"
awk -F '\t' '$6 == "kl" && $5 == "t1" && $2 == "start" { print $7 + 0 }
    $6 == "kl" && $5 == "t1" && $2 == "grpo" && $3 == 2 { print ($7 != 0 ? "moved" : "not moved") }' out/results.tsv
echo "-- what is done is not done again"
cp out/results.tsv before
run out 2>log
grep -c done log
cmp before out/results.tsv && echo same
echo "-- one cell anew"
rm -rf out/1/ppo out/1/synthetic
run out 2>/dev/null
cmp before out/results.tsv && echo same
echo "-- a run that was stopped in a cell goes on"
mkdir part
cp -r out/1/start part && mkdir part/1 && mv part/start part/1
cat >fails.sh <<END
. "$PWD/small.sh"
eval "\$(echo 'measure() {'; sed -n '/^evaluate()/,/^}/p' "$compare/settings/tiny-qa.sh" | sed '1,2d')"
evaluate() { case \$1 in */2.*) return 1 ;; *) measure "\$1" ;; esac; }
END
"$compare/run.sh" -c "$PWD/fails.sh" -e eval.jsonl -s 1 -S grpo "$tiny/model" prompts.jsonl part 2>&1 | grep -v done
ls part/1/grpo/run | grep step | tail -n 1
run part -S grpo 2>/dev/null
awk -F '\t' '$2 == "grpo"' before >want
awk -F '\t' '$2 == "grpo"' part/results.tsv | cmp - want && echo same
echo "-- answers in words of their own are judged by these"
STEPS=1 "$tiny/recipe.sh" 1 other reworded 2>recipe.log || cat recipe.log
sed 's/tiny-qa.sh/tiny-qa-reworded.sh/' small.sh >reworded.sh
awk -f "$tiny/world.awk" -v reworded=1 -v what=prompts -v n=12 -v seed=2502 >eval-reworded.jsonl
cagsr-sample -q -m other/model --raw --given reference eval-reworded.jsonl >right.rec
(here=$compare && . ./reworded.sh && evaluate right.rec 2>/dev/null) | head -n 4
"$compare/run.sh" -c "$PWD/reworded.sh" -e eval-reworded.jsonl -s 1 -S lexical other/model prompts.jsonl w 2>&1 | grep -v 'to be run'
echo "-- command lines"
status "$compare/run.sh" a b
status "$compare/run.sh" -s | sed "s|$SRC/||"
status "$compare/run.sh" -S nothing a prompts.jsonl o | sed "s|$SRC/||"
status run o -S rlhf,start-over | sed "s|$SRC/||"
echo "-- the audit: what it leaves, which rewards stand there; what is done is not done again"
head -n 20 "$tiny/questions.jsonl" | tail -n 8 >few.jsonl
"$compare/audit.sh" -n 4 -t 6 -k mismatched,half -f eval.jsonl "$tiny/model" few.jsonl aud >tables 2>log
cat log
cmp tables aud/audit.md && grep '^[A-Z]' tables
sed -n '/corrupted/,/^Best/p' tables | grep '^|' | cut -d '|' -f 2
rm aud/heads.tsv
"$compare/audit.sh" -n 4 -t 6 -f eval.jsonl "$tiny/model" few.jsonl aud 2>&1 >again
cmp tables again && echo same
status "$compare/audit.sh" a b | sed "s|$SRC/||"
status "$compare/audit.sh" "$tiny/model" nothing.jsonl o
