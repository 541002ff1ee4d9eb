#!/bin/sh
# The tools under ThreadSanitizer: a small real loop with two threads in every stage, and no
# report.  (Criterion cannot start under TSan.  The libraries below us are not
# instrumented, so they get one thread.)
set -u
cd "$(dirname "$0")/.." || exit 1
CC=${CC:-gcc}
build=build/tsan-$(basename "$CC")
make -j"${JOBS:-$(nproc)}" CC="$CC" MODE=tsan all || exit 1

work=$(mktemp -d "${TMPDIR:-/tmp}/cagsr-tsan.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
TSAN_OPTIONS="exitcode=66 halt_on_error=1 log_path=$work/report"
PATH=$PWD/$build:$PATH CAGSR_THREADS=2 OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
export TSAN_OPTIONS PATH CAGSR_THREADS OPENBLAS_NUM_THREADS OMP_NUM_THREADS
m=$PWD/examples/tiny-qa/model t5=$PWD/tests/golden/t5-tiny
${CC} -shared -fPIC -Ilibcore -o "$work/question.so" examples/plugins/question.c || exit 1
head -n 8 examples/tiny-qa/questions.jsonl >"$work/prompts.jsonl"
head -n 1 examples/tiny-qa/questions.jsonl >"$work/one.jsonl"
cd "$work" || exit 1

# Runs a command line; it must end with 0.
stage() { # name, command line for sh
    sh -c "$2" 2>"$1.err" && return
    echo "tsan: $1 failed: $(head -n 5 "$1.err")" >&2
    touch failed
}

# Drawing: batches smaller than what is asked for, every way to choose, every capture.
sample="cagsr-sample -q -m $m --raw --max-tokens 6"
stage sample "$sample -n 4 --batch 5 --attn=all prompts.jsonl >s"
stage sample-cut "$sample -n 3 --batch 7 --top-k 9 --top-p .9 --min-p .01 --stop red prompts.jsonl >s2"
stage sample-greedy "$sample -n 1 -t 0 prompts.jsonl >s3"

stage attn "cagsr-attn -q -m $m s >a"
stage attn-each "cagsr-attn -q -m $m --layers all --heads each --batch 40 s2 >a2"
for c in 0 1; do
    echo "{\"kind\":\"sample\",\"id\":\"one\",\"cand\":$c,\"prompt_ids\":[1],\"ids\":[2,3],\"temperature\":1}"
done >one
stage attn-one-token "cagsr-attn -q -m $m one >a4"
stage attn-norm "cagsr-attn -q -m $m --reduce norm --logp mine s3 >a3"

stage reward "cagsr-reward -q a >r"
stage reward-exec "cagsr-reward -q -x cat a >r2"
stage reward-json "cagsr-reward -q --exec-format json -x cat a >r3"
stage reward-plugin "cagsr-reward -q --plugin ./question.so -w no_question=2 --exec-timeout 60 -x cat a >r4"
stage pairs "cagsr-reward -q -w random=1 --pairs a >p"

sed 's/"reference"/"response"/' prompts.jsonl >lessons.jsonl
update="cagsr-update -q -m $m --lr 1e-4"
stage ppo "$update -o ppo --batch 4 --minibatch 2 --epochs 2 --rows 96 r >u"
stage resume "cagsr-update -q --resume ppo --new-data --lr 1e-4 --batch 4 -o ppo2 r2 >u1"
stage grpo "$update --algo grpo -o grpo --entropy .01 --ref $m r3 >u2"
stage dpo "$update --algo dpo -o dpo r >u3"
stage dpo-pairs "$update --algo dpo -o dpo2 p >u4"
stage rm "$update --algo rm -o rm r >u5"
stage sft "$update --algo sft --raw -o sft lessons.jsonl >u6"

# An adapter: begun, drawn with, looked at, gone on with; its reference is the model without.
lora="$update --algo grpo --batch 4"
stage lora "$lora --lora-rank 2 --lora-target all-linear --rows 96 -o lora r >u8"
stage lora-sample "cagsr-sample -q -m lora --raw --max-tokens 6 -n 4 --batch 5 --attn prompts.jsonl >ls"
stage lora-attn "cagsr-attn -q -m $m --adapter lora --logp mine ls >la"
stage lora-reward "cagsr-attn -q -m $m ls | cagsr-reward -q >lr"
stage lora-ref "$lora -m lora --entropy .01 -o lora2 lr >u9"

# An encoder-decoder (t5-tiny): two passes, cross-attention, relative positions, adapters.
awk 'BEGIN { for (i = 0; i < 12; i++) {
    printf "{\"id\":\"%d\",\"prompt_ids\":[", i
    for (k = 0; k < 8 + i; k++) printf "%d,", 2 + (7 * i + 3 * k) % 40
    print "1]}" } }' >t5.jsonl
t5_sample="cagsr-sample -q -m $t5 -n 4 --max-tokens 6 --batch 7"
stage t5-sample "$t5_sample --attn=all t5.jsonl >ts"
stage t5-attn "cagsr-attn -q -m $t5 --batch 40 --layers all --heads each ts >ta"
stage t5-ref "cagsr-attn -q -m $t5 ts | cagsr-reward -q -w random=1 >tr"
stage t5-ppo "cagsr-update -q -m $t5 --batch 4 --minibatch 2 --rows 64 -o t5.ppo tr >u10"
stage t5-lora "cagsr-update -q -m $t5 --algo grpo --lora-rank 2 --lora-target all-linear -o t5.lora tr >u11"
stage t5-adapted "$t5_sample --adapter t5.lora --attn t5.jsonl | cagsr-attn -q -m t5.lora >ta2"

# bf16 arithmetic, in widths whose operands are put in order, and by three threads, who cut
# elsewhere; the same in float32.
sed 's/"hidden_size": 64/"hidden_size": 128/; s/"intermediate_size": 170/"intermediate_size": 320/
    s/"head_dim": 16/"head_dim": 32/; s/"num_key_value_heads": 4/"num_key_value_heads": 2/' "$m/config.json" >wide.json
stage wide-init "cagsr-init -q -o wide wide.json && cp $m/tokenizer* wide"
wide="-q -m wide -j 3"
for dtype in bf16 f32; do
    s="cagsr-sample $wide --dtype $dtype --raw --max-tokens 6 -n 9"
    stage $dtype-sample "$s --attn prompts.jsonl >bs && $s -t 0 one.jsonl >b1"
    stage $dtype-attn "cagsr-attn $wide --dtype $dtype bs >ba && cagsr-attn $wide --dtype $dtype --batch 300 one >b2"
    stage $dtype-reward "cagsr-reward -q ba >br"
    for algo in grpo sft; do
        data=br
        [ $algo = grpo ] || data="--raw lessons.jsonl"
        stage $dtype-$algo "cagsr-update $wide --algo $algo --lr 1e-4 --dtype $dtype --batch 8 -o $dtype.$algo $data >u12"
    done
    stage $dtype-recompute "cagsr-update $wide --dtype $dtype --recompute --rows 300 --batch 8 -o $dtype.ppo br >u13"
done

# The whole loop in one pipe, weights going back by --publish and --follow.
stage follow "$sample --follow policy --lag 0 --batch-prompts 4 -n 4 --attn prompts.jsonl |
    cagsr-attn -q -m $m | cagsr-reward -q | $update --algo grpo --batch 4 --publish policy >u7"
stage cat "for f in s a r u u7 u8 u9 ta2 u10 u11; do cagsr-cat --check \$f && cagsr-cat \$f | cagsr-cat -s >c; done"

for f in report*; do
    [ -f "$f" ] || continue
    sed -n '1,60p' "$f" >&2
    touch failed
done
[ ! -f failed ] || { echo "tsan: failed" >&2; exit 1; }
echo "tsan: no report"
