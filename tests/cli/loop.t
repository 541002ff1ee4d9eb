# cagsr-loop: its steps, taking up a run, what it refuses.  The stages are stand-ins, so
# that each can be made to fail; demo.t runs the loop with the real ones.
. "$KIT"

mkdir bin
cp "$BUILD/cagsr-loop" bin
ln -s "$BUILD/cagsr-cat" bin/cagsr-cat

# Two answers for each prompt, which tell the seed and the model.
cat >bin/cagsr-sample <<'END'
#!/bin/sh
model= seed= file=
while [ $# -gt 0 ]; do
    case $1 in
    -m) model=$2; shift ;;
    --seed) seed=$2; shift ;;
    -n | -j) shift ;;
    --fail) echo "cagsr-sample: no such thing" >&2; exit 3 ;;
    -*) ;;
    *) file=$1 ;;
    esac
    shift
done
awk -v seed="$seed" -v model="$(cat "$model/weights")" '
    {
        match($0, /"id":"[^"]*"/)
        for (c = 0; c < 2; c++)
            printf "{\"kind\":\"sample\",%s,\"cand\":%d,\"ids\":[1,2,%d],\"seed\":%d,\"model\":%d}\n",
                substr($0, RSTART, RLENGTH), c, c, seed, model
    }' "$file" | cagsr-cat -s
END
cat >bin/cagsr-attn <<'END'
#!/bin/sh
[ ! -d attn-lines ] || echo "$*" >attn-lines/$$
if [ -f die-in-attn ]; then
    echo "cagsr-attn: killed" >&2
    cat | head -c 100
    kill -9 $$
fi
cat
END
cat >bin/cagsr-reward <<'END'
#!/bin/sh
while [ $# -gt 0 ]; do
    case $1 in
    --calibrate) echo scales >"$2" ;;
    --scales) [ -f "$2" ] || { echo "cagsr-reward: $2: no scales" >&2; exit 3; } ;;
    esac
    shift
done
cagsr-cat -H | sed 's/,"model":\([0-9]*\)/&,"reward":\1/' | cagsr-cat -s
END
# The new model is one more than the old; slow on demand, so that it can be killed.
cat >bin/cagsr-update <<'END'
#!/bin/sh
line="$*"
from= to=
while [ $# -gt 0 ]; do
    case $1 in
    -m | --resume) from=$2; shift ;;
    -o) to=$2; shift ;;
    esac
    shift
done
cagsr-cat >got || exit
[ ! -f slow ] || sleep 60
mkdir "$to" && echo $(($(cat "$from/weights") + 1)) >"$to/weights"
echo "$line" >"$to/line"
reward=$(cagsr-cat -t -F reward got | awk 'NR > 1 { s += $1; n++ } END { print s / n }')
printf '{"kind":"metric","step":1,"reward":%s,"rewards/coverage/mean":0.5,"objective/kl":0.25,"completions/mean_length":3.0,"ids":"%s"}\n' \
    "$reward" "$(cagsr-cat -F id -p got | tr -cd 'a-z0-9\n' | sed s/id// | uniq | tr '\n' ' ')" | cagsr-cat -s
END
chmod +x bin/*
mkdir start
echo 0 >start/weights
for i in 1 2 3 4 5; do echo "{\"id\":\"p$i\",\"prompt\":\"x\"}"; done >prompts.jsonl
echo '{"id":"held","prompt":"y"}' >held.jsonl

loop() { bin/cagsr-loop -m start --batch 2 "$@" prompts.jsonl; }
quiet_time() { sed 's/ seconds=[0-9]*//'; }
table() { sed 's/\t[^\t]*$//' run/metrics.tsv; }

echo "-- four steps"
loop -o run --steps 4 --eval held.jsonl --eval-every 2 | quiet_time
table
cat run/eval.tsv
ls run
ls run/step-000001 run/step-000004
cat run/current/weights
echo "-- an epoch has every prompt at most once"
grep -h -o '"ids":"[^"]*"' run/step-*/metrics.jsonl | sed 's/"ids"://'
echo "-- the state of the optimizer goes on"
sed 's/.*--resume \([^ ]*\) \(--new-data\).*/\1 \2/' run/current/line
echo "-- nothing is left to do"
loop -o run --steps 4 --eval held.jsonl --eval-every 2 -q
echo "-- more steps"
loop -o run --steps 5 --eval held.jsonl --eval-every 2 | quiet_time
echo "-- other settings"
status loop -o run --steps 6 -n 3 --eval held.jsonl --eval-every 2

echo "-- killed in step 3, then taken up: the same as unbroken"
loop -o whole --steps 5 -q
loop -o cut --steps 2 -q
touch slow
(exec bin/cagsr-loop -m start --batch 2 -q -o cut --steps 5 prompts.jsonl) &
pid=$!
until ls cut/step-000003.tmp*/prompts >/dev/null 2>&1 && [ -s got ]; do sleep 0.1; done
kill -9 $pid
wait $pid 2>/dev/null || echo "exit $?"
rm slow
ls -d cut/step-* | sed 's/.*\///; s/tmp.*/tmp/'
loop -o cut --steps 5 -q
sed 's/\t[^\t]*$//' whole/metrics.tsv >a
sed 's/\t[^\t]*$//' cut/metrics.tsv | cmp a - && echo same

echo "-- a stage dies: its word, no step"
touch die-in-attn
status loop -o run --steps 6 --eval held.jsonl --eval-every 9 2>&1 | grep -v -e cagsr-cat -e Killed
rm die-in-attn
ls -d run/step-* | tail -n 1 | sed 's/tmp.*/tmp/'
echo "-- a stage refuses"
status loop -o other --steps 1 --sample --fail 2>&1 | head -n 1

echo "-- another reward"
loop -o mine --steps 1 --reward "cagsr-cat -H | sed 's/,\"cand\":/,\"reward\":7&/' | cagsr-cat -s" |
    quiet_time
echo "-- an evaluation by cagsr-eval's table; its relevance stands on the step's line"
loop -o judged --steps 1 --eval held.jsonl --no-samples \
    --eval-with 'cagsr-eval -q -F tsv -M length,reward; echo tfidf=0.5 relevance=0.25' | sed 's/seconds=[0-9]*/seconds/'
ls judged/step-000001
loop -o judged2 --steps 1 --eval held.jsonl --eval-with 'echo tfidf=0.5' -q
cut -f 1,7 judged2/metrics.tsv
echo "-- the policy's own attention; ref, and evaluations, by the model that stays"
mkdir attn-lines
loop -o own --steps 2 --scorer own --attn '-l last' --eval held.jsonl --eval-every 2 --calibrate 0 -q
cat attn-lines/* | sort | uniq -c | sed 's/^ *//'
rm -r attn-lines
status loop -o own2 --scorer own --pipe
echo "-- one event file: updates and evaluations, the run taken up again, too"
loop -o board --steps 1 --tensorboard 'a board' --eval held.jsonl -q
loop -o board --steps 2 --tensorboard 'a board' --eval held.jsonl -q
ls 'a board' | wc -l
grep -a -o -E 'eval/reward|rewards/coverage/mean' 'a board'/* | sort | uniq -c | tr -s ' '
grep -c tensorboard board/step-*/model/line || :
loop -o board --dry-run --pipe --tensorboard 'a board' | grep -c -e "--tensorboard 'a board' --publish"
echo "-- killed in the first evaluation: it is made when the run is taken up again"
rm -rf board/step-000000/eval
loop -o board --steps 2 --eval held.jsonl | sed 's/ length.*//'
cut -f 1 board/eval.tsv | tr '\n' ' '
echo
echo "-- wrong command lines"
status loop -o x --batch 6
status loop --steps 1
status bin/cagsr-loop -o x
status bin/cagsr-loop -o x none.jsonl
status loop -o x --steps 1.5
status loop -o x --what
echo "-- what would run"
loop -o 'a dir' --dry-run --sample '--raw -t 1'
