# --tensorboard of cagsr-update, cagsr-cat and cagsr-loop: the numbers of the metric records,
# read back with TensorBoard's own library; a run that is taken up again has each step once.
. "$KIT"
py=
for p in "${CAGSR_TENSORBOARD:-python3}" python3; do
    [ -n "$py" ] || ! "$p" -c 'import tensorboard' 2>/dev/null || py=$p
done
[ -n "$py" ] || skip "no python with tensorboard: CAGSR_TENSORBOARD can name one"
M=$SRC/examples/tiny-qa/model

cat >back.py <<'END'
# Against the metric records (JSON lines): every number at every step, nothing else.
import glob, json, os, struct, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

want = {}
for line in open(sys.argv[2]):
    r = json.loads(line)
    for k, v in r.items():
        if isinstance(v, (int, float)) and k != "step":
            want.setdefault(k, {})[r["step"]] = struct.unpack("<f", struct.pack("<f", v))[0]
acc = EventAccumulator(sys.argv[1])
acc.Reload()
tags = acc.Tags()["scalars"]
steps = 0
for k in sorted(set(want) | set(tags)):
    got = [(e.step, e.value) for e in acc.Scalars(k)] if k in tags else []
    if got != sorted(want.get(k, {}).items()):
        print(k, "differs:", got[:8], "wanted", sorted(want.get(k, {}).items())[:8])
    steps = max(steps, len(got))
print(len(tags) > 25, "steps", steps, "files", len(glob.glob(os.path.join(sys.argv[1], "*tfevents*"))))
END
awk -f "$SRC/examples/tiny-qa/world.awk" -v what=prompts -v n=24 -v seed=3 >prompts.jsonl
cagsr-sample -m "$M" -n 2 --raw --max-tokens 6 --seed 2 prompts.jsonl | cagsr-attn -m "$M" |
    cagsr-reward --salient sentence --rep-n 2 --t-min 0 >run.rec
P="--algo ppo --lr 1e-3 --batch 3 -j 1"
json() { cagsr-cat -p -k metric "$@"; }
echo "-- a run"
cagsr-update -q -m "$M" $P -o whole --tensorboard tb/whole run.rec | json >whole.json
$py back.py tb/whole whole.json
echo "-- two steps are lost, and done again"
cagsr-update -q -m "$M" $P --steps 3 -o three --tensorboard tb/half run.rec | json >first.json
cagsr-update -q --resume three $P --steps 5 -o five --tensorboard tb/half run.rec >/dev/null
cagsr-update -q --resume three $P -o eight --tensorboard tb/half run.rec | json | cat first.json - >half.json
$py back.py tb/half half.json
echo "-- the disk of the records is full: the events are there"
rc=0
cagsr-update -q -m "$M" $P --steps 2 -o full --tensorboard tb/full run.rec >/dev/full || rc=$?
echo "exit $rc"
head -n 2 whole.json >two.json
$py back.py tb/full two.json | grep -v '^seconds \|^eps \|^tokens_per_second '
echo "-- cut in the last record"
cp -r tb/whole cut
truncate -s -10 cut/*
head -n 7 whole.json >seven.json
$py back.py cut seven.json
echo "-- a recorded run; in two calls, the second of steps that were done again"
cagsr-cat --tensorboard tb/cat whole.json
$py back.py tb/cat whole.json
head -n 5 whole.json | sed 's/"loss":[-0-9.e]*/"loss":9/' | cagsr-cat --tensorboard tb/calls
tail -n +3 whole.json | cagsr-cat --tensorboard tb/calls
head -n 2 whole.json | sed 's/"loss":[-0-9.e]*/"loss":9/' >both.json
tail -n +3 whole.json >>both.json
$py back.py tb/calls both.json
echo "-- a loop, killed in a step and taken up again: one file, evaluations, too"
head -n 4 prompts.jsonl >held.jsonl
loop() { cagsr-loop -q -m "$M" -n 2 --batch 3 -j 1 --calibrate 6 --eval held.jsonl --eval-every 2 \
    --reward-options '--salient sentence --rep-n 2 --t-min 0' \
    --sample '--raw --max-tokens 6' -o run --tensorboard tb/loop "$@" prompts.jsonl; }
loop --steps 2
rm -rf run/step-000002 run/current # its events are there
loop --steps 4
rm -rf run/step-000000/model
for k in 1 2 3 4; do sed "s/\"step\":[0-9]*/\"step\":$k/" run/step-00000$k/metrics.jsonl; done >loop.json
for k in 0 2 4; do
    tr ' ' '\n' <run/step-00000$k/eval | awk -F= -v k=$k '
        BEGIN { printf "{\"step\":%d", k }
        $1 != "step" { printf ",\"eval/%s\":%s", $1, $2 }
        END { print "}" }'
done >>loop.json
$py back.py tb/loop loop.json
echo "-- faults"
echo x >file
status cagsr-cat --tensorboard file whole.json
status cagsr-cat --tensorboard tb/x -F loss whole.json
status cagsr-cat --tensorboard tb/x --count whole.json
status cagsr-update -q -m "$M" $P -o no --tensorboard file run.rec
status cagsr-update -q -m "$M" $P -o no --tensorboard '' run.rec
[ ! -e no ] && echo none
cagsr-update -q -m "$M" $P -o no --dry-run --tensorboard tb/dry run.rec >/dev/null
[ ! -e tb/dry ] && echo "none of a rehearsal"
