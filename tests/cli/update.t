# cagsr-update through the shell: what each algorithm moves, what a run leaves, what is refused.
# update-grads.t has the gradients, update-resume.t the runs that are killed.
. "$KIT"
need jq flock
G=$SRC/tests/golden
M=$SRC/examples/tiny-qa/model

awk -f "$SRC/examples/tiny-qa/world.awk" -v what=prompts -v n=24 -v seed=3 >prompts.jsonl
cagsr-sample -m "$M" -n 4 --raw --max-tokens 6 --seed 2 prompts.jsonl | cagsr-attn -m "$M" |
    cagsr-reward --salient sentence --rep-n 2 --t-min 0 >run.rec
# Even candidates are better than odd ones, whatever they say.
cagsr-cat run.rec | awk '{
    match($0, /"cand":[0-9]/)
    good = (substr($0, RSTART + 7, 1) + 1) % 2
    sub(/"reward":[-0-9.e]*/, "\"reward\":" good)
    print }' >even.jsonl

# By how much the mean log-probability of responses has risen, in nats: good and bad ones.
rise() { # MODEL
    cagsr-attn -m "$1" --no-attn --logp new even.jsonl | cagsr-cat -p |
        jq -r '[.reward, ((.new | add) - (.ref | add))] | @tsv' |
        awk '{ sum[$1] += $2; n[$1]++ } END { print sum[1] / n[1], sum[0] / n[0] }'
}

echo "-- each algorithm moves what it should"
for algo in ppo grpo rloo reinforce raft dpo sft; do
    lr=3e-4
    [ $algo != dpo ] || lr=1e-4
    # A model's own answers are likely already: the same ones again and again are not.
    epochs=$([ $algo = sft ] && echo '--epochs 12' || :)
    cagsr-update -q -m "$M" --algo $algo --lr $lr --batch 8 $epochs -o "out.$algo" even.jsonl >m.rec
    cagsr-cat --check m.rec
    rise "out.$algo" | awk -v algo=$algo '
        algo == "sft" { print algo, ($1 > .02 && $2 > .02 ? "raises all" : "does not: " $0); next }
        { print algo, ($1 - $2 > .02 ? "raises good above bad" : "does not: " $0) }'
done
cagsr-update -q -m "$M" --algo rm --lr 1e-3 --batch 8 --epochs 12 -o out.rm even.jsonl |
    cagsr-cat >m
jq -s '.[0].accuracy < 0.8 and .[-1].accuracy > 0.8' m
tr -c '[:print:]' '\n' <out.rm/score.safetensors | grep -o '"score[^}]*}' | sort
echo "-- a reward model judges, before others or for itself"
cagsr-attn -m out.rm --score judge even.jsonl | cagsr-reward -w judge=1 |
    cagsr-cat -p | jq -s '[.[] | {old: .rewards.coverage, judge: .rewards.judge, reward}] |
        (map(select(.judge != .reward)) | length), (map(select(.old == null)) | length)'
cagsr-attn -m out.rm --score judge even.jsonl | cagsr-cat -t -F reward,rewards.judge |
    awk 'NR > 1 { sum[$1] += $2; n[$1]++ } END { print (sum[1] / n[1] > sum[0] / n[0] ? "good above bad" : "no") }'
for bad in "-m $M" "" "-m out.rm --no-logp" "-m out.rm --heads each"; do
    status cagsr-attn $bad --score judge even.jsonl >/dev/null
    sed "s|$SRC/||" status.err | tail -n 1
    echo "exit $rc"
done
echo "-- variants"
for v in "grpo --loss cispo" "grpo --ratio sequence" "grpo --scale none --agg dr_grpo" \
    "grpo --scale batch --kl-type k2" "reinforce --baseline plus" \
    "reinforce --baseline plus_group" "dpo --dpo ipo" "ppo --dual-clip 3 --whiten-rewards"; do
    rm -rf out.v
    cagsr-update -q -m "$M" --algo $v --lr 1e-4 --batch 8 -o out.v even.jsonl >/dev/null
    rise out.v | awk -v v="$v" '{ print v ":", ($1 > $2 ? "yes" : "no: " $0) }'
done
rm -rf out.v
cagsr-update -q -m "$M" --algo grpo --combine normalize_then_sum --weights coverage=1,copy=-1 \
    --lr 1e-4 -o out.v run.rec | cagsr-cat -t -F step,completions
echo "-- a clip or cap that nothing reaches changes nothing"
cagsr-update -q -m "$M" --algo grpo --minibatch 4 --grads a.st run.rec >/dev/null
cagsr-update -q -m "$M" --algo grpo --minibatch 4 --clip .5 --ratio-cap 9 --grads b.st run.rec >/dev/null
cmp a.st b.st && echo same
echo "-- nor do threads"
cagsr-update -q -m "$M" --algo ppo --batch 8 --minibatch 4 -j 1 -o j1 run.rec >/dev/null
cagsr-update -q -m "$M" --algo ppo --batch 8 --minibatch 4 -j 2 -o j2 run.rec >/dev/null
diff -r j1 j2 && echo same

echo "-- what is there after a run"
(cd out.ppo && find . -type f | sort)
drawn=$(cagsr-cat -n 1 run.rec | jq -r .policy)
cagsr-cat -H m.rec | jq -r --arg drawn "$drawn" 'select(.kind == "header").pg[0] | .pn, .model == $drawn'
cagsr-cat -p -k metric m.rec | jq -c -s '.[0] | [.kind, .algo, .step, .prompts, .completions]'
cagsr-update -q -m "$M" --batch 8 -o out.m run.rec | cagsr-cat -p -n 1 | jq -r 'keys_unsorted[]'

echo "-- instead of a run"
cagsr-update -m "$M" --dry-run --batch 8 run.rec 2>&1 >/dev/null |
    sed 's/f32 .*/f32 .../; s/[0-9][0-9.]* s\b/... s/g; s/[0-9][0-9.]* MiB/... MiB/g; s/[0-9]* tokens/... tokens/'
cagsr-update -m "$M" --dry-run --dtype bf16 run.rec 2>&1 >/dev/null | grep -o "([0-9]* rows)"
cagsr-update -m "$M" --dry-run --dtype bf16 --rows 100 run.rec 2>&1 >/dev/null |
    grep -o "([0-9]* rows)"
ls -d .*tmp* 2>/dev/null || echo "nothing left"

# ---- what is refused ---------------------------------------------------------------------

echo "-- another model's samples"
cagsr-update -q -m "$M" --algo grpo --kl 0 --lr 1e-2 -o other run.rec >/dev/null
try() { status cagsr-update -q "$@" -o x >/dev/null; cat status.err | tail -n 1 | sed 's/[0-9a-f]\{16\}/HASH/g'; echo "exit $rc, $(ls -d x 2>/dev/null || echo no x)"; rm -rf x; }
try -m other --algo grpo run.rec
cagsr-cat run.rec | sed 's/"policy":"[0-9a-f]*",//' >unnamed.jsonl
try -m other --algo grpo unnamed.jsonl | sed 's/by up to.*: another/by ...: another/'
try -m other --algo grpo --off-policy run.rec
try -m other --algo sft run.rec
cagsr-cat run.rec | sed 's/"temperature":1.0/"temperature":0.5/' >cool.jsonl
try -m "$M" --algo grpo cool.jsonl | sed 's/by up to.*: another/by ...: another/'
echo "-- rewards"
edit() { cagsr-cat run.rec | sed "$1" >bad.jsonl; }
edit '3s/"reward":[-0-9.e]*/"reward":{"$f64":"nan"}/'
try -m "$M" bad.jsonl
edit '3s/"reward":[-0-9.e]*/"reward":"much"/'
try -m "$M" bad.jsonl
edit '3s/"reward":[-0-9.e]*/"reward":null/; 9s/,"reward":[-0-9.e]*//'
cagsr-update -q -m "$M" --algo grpo -o x bad.jsonl | cagsr-cat -F abstained,completions
rm -rf x
edit 's/"reward":[-0-9.e]*/"reward":null/'
status cagsr-update -m "$M" --algo grpo -o x bad.jsonl >/dev/null
cat status.err
cmp x/model.safetensors "$M/model.safetensors" && rm -rf x
cagsr-cat run.rec | grep '"cand":0' >lonely.jsonl
cagsr-update -q -m "$M" --algo grpo -o x lonely.jsonl | cagsr-cat -F loss,grad_norm
cmp x/model.safetensors "$M/model.safetensors" && rm -rf x
echo "-- other fields"
edit '2s/"logp":\[[^]]*\]/"logp":[-1.0]/'
try -m "$M" bad.jsonl
edit '2s/"prompt_ids":\[1,/"prompt_ids":[2,/'
try -m "$M" bad.jsonl
edit '2s/"ids":\[[0-9]*,/"ids":[54,/'
try -m "$M" bad.jsonl
edit '2s/"id":"[^"]*",//'
try -m "$M" bad.jsonl
edit 's/"ref":\[[^]]*\],//'
try -m "$M" bad.jsonl
try -m "$M" --algo dpo bad.jsonl
try -m "$M" --algo sft bad.jsonl
printf '{"kind":"sample","id":"l","prompt_ids":[1],"ids":[%s1]}\n' "$(awk 'BEGIN { for (i = 0; i < 70; i++) printf "5," }')" >long.jsonl
try -m "$M" --algo sft long.jsonl
try -m "$M" --algo grpo --combine normalize_then_sum --weights beauty=1 run.rec
echo "-- prompt and response are the whole context, or one more"
fills() { # RESPONSE-TOKENS
    printf '{"kind":"pair","id":"f","prompt_ids":[1,5],"chosen_ids":[%s],"rejected_ids":[7]}\n' \
        "$(awk -v T="$1" 'BEGIN { for (i = 1; i < T; i++) printf "5,"; print 1 }')"
}
for algo in rm dpo sft; do
    for T in 62 63; do
        fills $T >fills.jsonl
        [ $algo != sft ] || sed -i 's/"kind":"pair"/"kind":"sample"/; s/chosen_ids/ids/' fills.jsonl
        try -m "$M" --algo $algo $([ $algo != dpo ] || echo "--ref $M") fills.jsonl
    done
done
fills 63 >fills.jsonl
try -m "$G/bart-tiny" --algo rm fills.jsonl
fills 64 >fills.jsonl
try -m "$G/bart-tiny" --algo rm fills.jsonl
head -n 2 prompts.jsonl | cagsr-sample -q -m "$M" -n 2 --raw --ignore-eos | cagsr-cat -p |
    jq -c '.reward = .cand' >full.jsonl
jq -c '[.finish, (.prompt_ids | length) + (.ids | length)]' full.jsonl | uniq
try -m "$M" --algo rm full.jsonl
echo "-- text"
echo '{"prompt":"ida red fan . jim blue hat . ask ida :","response":"red fan"}' >text.jsonl
cagsr-update -q -m "$M" --algo sft -o x text.jsonl | cagsr-cat -F prompts,completions/mean_length
rm -rf x
echo '{"prompt":"ida red fan .","chosen":"red fan","rejected":"blue hat"}' >pair.jsonl
cagsr-update -q -m "$M" --algo dpo --ref "$M" -o x pair.jsonl | cagsr-cat -F prompts,completions,loss | cut -c 1-48
rm -rf x
try -m "$M" --algo dpo pair.jsonl
try -m "$M" --algo grpo text.jsonl
try -m "$G/llama-tiny" --algo sft text.jsonl | sed 's/: .*llama/: ...llama/'
echo '{"response":"red fan"}' >text.jsonl
try -m "$M" --algo sft text.jsonl
cagsr-reward --salient sentence --pairs run.rec 2>/dev/null | cagsr-update -q -m "$M" --algo rm -o x - |
    cagsr-cat -p -k metric | jq -c -s '{updates: length, pairs: all(.completions > 0 and .completions % 2 == 0)}'
rm -rf x

echo "-- wrong command lines"
for line in "" "-o x --what" "-o x --algo best" "-o x --lr much" "-o x --lr 11" "-o x --batch 0" \
    "-o x --schedule cosine" "-o x --algo dpo --kl 0" "-o x --algo ppo --loss cispo" \
    "-o x --new-data" "-o x --resume out.ppo" "-o x --algo grpo --combine normalize_then_sum" \
    "-o x --overlong 3" "-o x --algo rm --entropy 1" "-o out.ppo"; do
    status cagsr-update -m "$M" $line run.rec
done
status cagsr-update -m none -o x run.rec
status cagsr-update -m "$M" --ref "$G/llama-tiny" -o x run.rec | sed 's/: .*llama/: ...llama/'
status cagsr-update -m "$M" -o x none.rec
status cagsr-update -m "$M" -o none/x run.rec | sed 's/tmp-[0-9]*/tmp-PID/'

# Waits, 20 seconds at most, until a command succeeds.
await() {
    n=0
    until "$@" 2>/dev/null; do
        [ $n -lt 1000 ] || { echo "in vain: $*"; return; }
        n=$((n + 1))
        sleep 0.02
    done
}

# ---- stopping early, and in step with the sampler ----------------------------------------

echo "-- stopped at a divergence, by a signal: saved, exit 6"
try() { status cagsr-update -q "$@" >/dev/null; cat status.err; echo "exit $rc"; }
try -m "$M" --algo grpo --ref other --kl-stop .01 -o stopped run.rec |
    sed 's/is [0-9.]* nats/is ... nats/'
jq -c '[.iterations, .groups]' stopped/training/state.json
mkfifo in
{ cagsr-cat -s run.rec; exec sleep 60; } >in &
feeder=$!
cagsr-update -q -m "$M" --algo grpo --batch 23 --epochs 8 -o slow <in >slow.rec 2>slow.err &
victim=$!
# within an update both signals are blocked
await grep -q '^SigBlk:.*4002$' /proc/$victim/status
kill -TERM $victim
rc=0
wait $victim || rc=$?
kill $feeder
wait $feeder 2>/dev/null || :
cat slow.err
echo "exit $rc"
jq -c '[.iterations, .groups]' slow/training/state.json

echo "-- nobody reads the metrics, or their disk is full: the run goes on to its end"
lost() { sed '/first step/d; s/update [0-9]* on/update ... on/' err; echo "exit $(cat rc)"; }
trains() { rc=0; cagsr-update -m "$M" --algo grpo --batch 2 "$@" run.rec 2>err || rc=$?; echo $rc >rc; }
trains -q -o read >/dev/null
trains -o unread | true
lost
trains -q -o full >/dev/full
lost
diff -r read unread && diff -r read full && echo same
trains -q --ref other --kl-stop .01 -o stopped2 | true
lost | sed 's/is [0-9.]* nats/is ... nats/'
echo "-- one pipe, strictly on-policy"
head -n 16 prompts.jsonl >few.jsonl
cagsr-sample -q --follow v --lag 0 -n 4 --raw --max-tokens 6 --batch-prompts 4 few.jsonl |
    cagsr-attn -q -m "$M" | cagsr-reward -q --salient sentence --rep-n 2 --t-min 0 |
    cagsr-update -q -m "$M" --algo grpo --lr 1e-3 --batch 4 --publish v --keep 2 --save-every 2 |
    cagsr-cat -p -k metric >loop.jsonl
jq -c '[.step, .prompts, .["sampling/logp_difference_max"] < 1e-4, .["objective/kl"] == 0]' loop.jsonl
ls v
readlink v/current
jq -c . v/progress.json
echo "-- the sampler dies: nothing more is published"
rm -rf v
mkfifo cut
cagsr-sample -q --follow v -n 4 --raw --max-tokens 6 --batch-prompts 4 few.jsonl >whole.rec &
sampler=$!
{ cagsr-attn -q -m "$M" 2>/dev/null | cagsr-reward -q 2>/dev/null | status cagsr-update -q -m "$M" \
    --algo grpo --batch 4 --publish v | tail -n 1; } <cut &
last=$!
exec 3>cut
await grep -q '"batches": *0' v/progress.json
await grep -q batch whole.rec
cat whole.rec >&3
await grep -q '"batches": *1' v/progress.json
kill -9 $sampler
wait $sampler 2>/dev/null || :
exec 3>&-
wait $last
jq -c . v/progress.json
readlink v/current
echo "-- one publisher at a time"
flock v/publishers.lock sleep 60 &
holder=$!
await sh -c "! flock -n v/publishers.lock true"
status cagsr-update -q -m "$M" --publish v run.rec
kill $holder
wait $holder 2>/dev/null || :

echo "-- versions of a GGUF file have its tokenizer, the later ones from the one before"
char_model chars
cagsr-convert -q --gguf -o chars.gguf chars
cagsr-convert -q -o once chars.gguf
for answer in to be or; do echo '{"prompt":"hi there","response":"'$answer'"}'; done >said.jsonl
cagsr-update -q -m chars.gguf --algo sft --batch 1 --keep 2 --publish w said.jsonl >few.rec
ls w w/current/
for file in tokenizer tokenizer_config generation_config; do cmp once/$file.json w/current/$file.json; done
