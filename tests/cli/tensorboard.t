# cagsr-update --tensorboard: the numbers of the metric records, read back with TensorBoard's
# own library; a run that is taken up again has each step once.
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
echo "-- faults"
echo x >file
status cagsr-update -q -m "$M" $P -o no --tensorboard file run.rec
status cagsr-update -q -m "$M" $P -o no --tensorboard '' run.rec
[ ! -e no ] && echo none
cagsr-update -q -m "$M" $P -o no --dry-run --tensorboard tb/dry run.rec >/dev/null
[ ! -e tb/dry ] && echo "none of a rehearsal"
