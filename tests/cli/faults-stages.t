# What goes wrong in a pipe is seen at its end, whatever program stands there.
. "$KIT"

# ---- the same for every program that reads a stream --------------------------------------

M=$SRC/examples/tiny-qa/model
awk -f "$SRC/examples/tiny-qa/world.awk" -v what=prompts -v n=3 -v seed=1 >prompts.jsonl
cagsr-sample -q -m "$M" -n 2 --raw --max-tokens 4 -o sampled prompts.jsonl
cagsr-attn -q -m "$M" -o looked sampled
cagsr-reward -q -o scored looked
# A small stream, every prefix of which is tried: two ids, few rows.
echo '{"id":"s","prompt_ids":[1,14],"salient":[{"positions":[1],"idf":1}]}' |
    cagsr-sample -q -m "$M" -n 1 --max-tokens 1 | cagsr-attn -q -m "$M" -o small
cat >stages <<'END'
cagsr-attn looks sampled
cagsr-reward scores looked
cagsr-update trains scored
END
looks() { cagsr-attn -q -m "$M" "$@"; }
scores() { cagsr-reward -q "$@"; }
trains() { rm -rf trained; cagsr-update -q -m "$M" --algo grpo --batch 2 --kl 0 -o trained "$@"; }
one_line() { [ "$(wc -l <err)" -eq 1 ] && ! grep -q '[[:cntrl:]]' err; }

echo "-- every prefix that ends inside a stream: exit 4, one sentence, no model, passed on"
size=$(wc -c <small)
n=0 bad=
while [ $n -lt "$size" ]; do
    rc=0
    head -c $n small | scores >passed 2>err || rc=$?
    [ $rc -eq 4 ] && one_line || bad="$bad $n:$rc"
    if [ $((n % 10)) -eq 0 ]; then
        rc=0
        cagsr-cat --check <passed 2>/dev/null || rc=$?
        [ $rc -eq 4 ] || bad="$bad $n:passed-on:$rc"
    fi
    n=$((n + 1))
done
echo "cagsr-reward, all of them: not seen:${bad:- none}"
# Prefixes of larger streams: around every record's end, and at steps between.
cuts() { # FILE
    size=$(wc -c <"$1")
    {
        for k in 0 1 2 3 4 5 6; do
            at=$(cagsr-cat -s -n $k "$1" 2>/dev/null | wc -c)
            for d in -1 0 1; do echo $((at + d)); done
        done
        i=0
        while [ $i -lt 12 ]; do
            echo $((i * size / 12 + i % 5))
            i=$((i + 1))
        done
        echo $((size - 1)) $((size - 2)) $((size - 19)) | tr ' ' '\n'
    } | sort -nu | awk -v size="$size" '$1 >= 0 && $1 < size'
}
while read -r name stage input; do
    bad=
    for n in $(cuts "$input"); do
        rc=0
        head -c "$n" "$input" | $stage >passed 2>err || rc=$?
        [ $rc -eq 4 ] && one_line || bad="$bad $n:$rc"
        rc=0
        cagsr-cat --check <passed 2>/dev/null || rc=$?
        [ $rc -eq 4 ] || bad="$bad $n:passed-on:$rc"
        [ ! -e trained ] || bad="$bad $n:a model"
    done
    echo "$name: not seen:${bad:- none}"
done <stages

echo "-- a full disk"
while read -r name stage input; do
    rc=0
    $stage "$input" >/dev/full 2>err || rc=$?
    echo "exit $rc: $(cat err)"
    [ ! -e trained ] || echo "a model"
done <stages
rc=0
cagsr-sample -q -m "$M" -n 2 --raw --max-tokens 4 prompts.jsonl >/dev/full 2>err || rc=$?
echo "exit $rc: $(cat err)"

# A stage of the real pipe is stopped in mid-stream and killed: the one behind it and the last
# one fail, although the shell knows of no pipefail.  The prompts come through a pipe that is
# held open, so that the stream cannot end by itself.
alive() { kill -0 "$1" 2>/dev/null; }
mid_stream() { # VICTIM
    rm -rf trained s a r pipes
    mkdir pipes
    : >r
    mkfifo pipes/p pipes/s pipes/a pipes/r pipes/u
    cagsr-sample -q -m "$M" -n 2 --raw --max-tokens 4 <pipes/p >pipes/s 2>/dev/null &
    sample=$!
    cagsr-attn -q -m "$M" <pipes/s >pipes/a 2>err.attn &
    attn=$!
    cagsr-reward -q <pipes/a >pipes/r 2>err.reward &
    reward=$!
    tee r <pipes/r >pipes/u &
    copy=$!
    cagsr-update -q -m "$M" --algo grpo --batch 2 --kl 0 -o trained <pipes/u >u 2>err.update &
    update=$!
    exec 4>pipes/p
    cat prompts.jsonl >&4
    n=0
    until [ "$(wc -c <r)" -gt 2000 ] || [ $n -ge 500 ]; do
        n=$((n + 1))
        sleep 0.02
    done
    eval "kill -9 \$$1"
    wait "$(eval "echo \$$1")" 2>/dev/null || :
    said=
    for stage in attn reward update; do
        # those before the victim find nobody to write to: they wait for prompts here
        case "$1 $stage" in "reward attn" | "$stage $stage") continue ;; esac
        rc=0
        wait "$(eval "echo \$$stage")" || rc=$?
        said="$said $stage:$rc"
    done
    exec 4>&-
    wait $sample $attn $reward $copy 2>/dev/null || :
    rc=0
    cagsr-cat --check u 2>/dev/null || rc=$?
    echo "$1 killed:$said, the metrics: $rc, $(ls -d trained 2>/dev/null || echo no model)"
}
echo "-- a neighbour killed in mid-stream"
mid_stream sample
mid_stream attn
mid_stream reward
