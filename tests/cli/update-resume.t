# A run of cagsr-update that is stopped or killed at any moment resumes to the bytes of one that
# was not.
. "$KIT"
M=$SRC/examples/tiny-qa/model

awk -f "$SRC/examples/tiny-qa/world.awk" -v what=prompts -v n=24 -v seed=3 >prompts.jsonl
cagsr-sample -m "$M" -n 4 --raw --max-tokens 6 --seed 2 prompts.jsonl | cagsr-attn -m "$M" |
    cagsr-reward --salient sentence --rep-n 2 --t-min 0 >run.rec

P="--algo ppo --lr 1e-3 --batch 3 --minibatch 2 --epochs 2 -j 1 --kl-target 1 --kl-horizon 50"
cagsr-update -q -m "$M" $P -o whole run.rec >whole.rec
echo "-- by hand"
cagsr-update -q -m "$M" $P --steps 3 -o half run.rec >half.rec
cagsr-update -q --resume half $P -o half run.rec >half2.rec
diff -r whole half && echo same
for f in half half2; do cagsr-cat -k metric $f.rec; done | cut -d, -f1-16 >a
cagsr-cat -k metric whole.rec | cut -d, -f1-16 | cmp - a && echo "so are the metrics"
cp -r whole again
cagsr-update -q --resume again $P -o again run.rec >/dev/null
diff -r whole again && echo "nothing left to do"
cagsr-update -q -m "$M" $P --steps 3 -o three run.rec >/dev/null
cagsr-update -q --resume three $P --steps 3 -o three run.rec | cagsr-cat -k metric
cagsr-cat run.rec | tail -n +9 >shifted.jsonl
rs() { status cagsr-update -q --resume "$@" >/dev/null; cat status.err; echo "exit $rc"; }
rs three $P -o x shifted.jsonl
rs three $P --seed 4 -o x run.rec
rs three --algo grpo -o x run.rec
rs "$M" --algo grpo -o x run.rec | sed 's/: .*tiny/: ...tiny/'
cp -r three broken
printf 'x' | dd of=broken/model.safetensors bs=1 seek=9000 conv=notrunc 2>/dev/null
rs broken $P -o x run.rec | sed 's/: .*broken/: ...broken/'
cp -r three cut
truncate -s 5000 cut/training/exp_avg.safetensors
rs cut $P -o x run.rec | sed 's/, .*//'
echo "-- with every algorithm"
for algo in grpo rloo reinforce raft dpo rm sft; do
    A="--algo $algo --lr 1e-3 --batch 8 -j 1 --warmup 4"
    rm -rf a.*
    cagsr-update -q -m "$M" $A -o a.whole run.rec >/dev/null
    cagsr-update -q -m "$M" $A --steps 1 -o a.half run.rec >/dev/null
    cagsr-update -q --resume a.half $A -o a.half run.rec >/dev/null
    diff -r a.whole a.half && echo $algo
done
echo "-- data that is passed over again"
S="--algo sft --lr 1e-3 --batch 10 --epochs 3 -j 1 --loss-stop .1"
cagsr-update -q -m "$M" $S -o pool.whole run.rec >/dev/null
cagsr-update -q -m "$M" $S --steps 4 -o pool run.rec >/dev/null
cagsr-update -q --resume pool $S -o pool run.rec >/dev/null
diff -r pool.whole pool && echo same
rs three/../pool $S -o x shifted.jsonl

# Kills a run at a random moment behind its first save, again and again, until one comes
# to its end.  The input is held open behind its first part, so that no run can be too fast.
seed=$(($(date +%s) % 100000 + $$))
echo "seed of the kills: $seed" >&2
moment() { seed=$((seed * 48271 % 2147483647)); sleep 0.$((1000 + seed % 2500)); }
killed() { # WAIT-FOR COMMAND...
    wait_for=$1
    shift
    mkfifo in.$$ 2>/dev/null || :
    # both ends stay open here until the kill
    { head -c 90000 run.rec; exec sleep 900; } >in.$$ &
    feeder=$!
    "$@" <in.$$ >killed.rec 2>killed.err &
    victim=$!
    n=0
    until [ -e "$wait_for" ] || [ $n -ge 300 ]; do sleep 0.02; n=$((n + 1)); done
    moment
    kill -9 $victim || cat killed.err
    wait $victim 2>/dev/null || :
    kill -9 $feeder 2>/dev/null || : # it may have seen the pipe break
    wait $feeder 2>/dev/null || :
}

echo "-- killed, resumed: -o"
killed saved/config.json cagsr-update -q -m "$M" $P --save-every 1 -o saved
for i in 1 2; do
    killed saved/config.json cagsr-update -q --resume saved $P --save-every 1 -o saved
done
rc=0
cagsr-cat --check killed.rec 2>/dev/null || rc=$?
echo "its metrics end with $rc"
cagsr-update -q --resume saved $P -o saved run.rec >/dev/null
diff -r whole saved && echo same
ls -d .saved.* 2>/dev/null || echo "nothing left"
echo "-- killed, resumed: --publish"
cagsr-update -q -m "$M" $P --publish v.whole --save-every 2 run.rec >/dev/null
killed v/v000003 cagsr-update -q -m "$M" $P --publish v --save-every 2
killed v/v000003 cagsr-update -q --resume v $P --publish v --save-every 2
cagsr-update -q --resume v $P --publish v --save-every 2 run.rec >/dev/null
sed -i '/"versions"/d' v/current/training/state.json v.whole/current/training/state.json
diff -r v.whole/current/ v/current/ && echo same
find v -name '.*tmp*' | grep . || echo "nothing left"

# Dies at every point of a save: there is the old directory or the new one, never a third.
echo "-- killed within a save"
cp -r three start
dies() { # CALL NUMBER COMMAND...
    call=$1 when=$2
    shift 2
    strace -f -qq -o /dev/null -e trace="$call" -e inject="$call:signal=KILL:when=$when" \
        "$@" >/dev/null 2>&1
}
no_strace() {
    strace -qq -o /dev/null true 2>/dev/null && return 1
    echo 'no strace, or it may not: no kill within a save was tried' >&2
}
cagsr-update -q --resume three $P --steps 4 -o four run.rec >/dev/null
moments() {
    for call in fsync renameat2 unlink rmdir mkdir write; do
        n=1
        while ! dies $call $n cagsr-update -q --resume start $P --steps 4 -o start run.rec && [ $n -lt 40 ]; do
            if ! diff -r three start >/dev/null && ! diff -r four start >/dev/null; then
                echo "neither the old nor the new behind $call $n"
            fi
            rm -rf start
            cp -r three start
            n=$((n + (n > 3 ? 4 : 1)))
        done
        [ $n -gt 1 ] || echo "$call: never"
        rm -rf start
        cp -r three start
    done
}
no_strace || moments
echo "old or new each time"

# A version that was there before current pointed at it does not stand in the way.
echo "-- killed within a publication"
V="--algo grpo --lr 1e-3 --batch 8 -j 1 --save-every 1 --steps 2"
cagsr-update -q -m "$M" $V --publish p.whole run.rec >/dev/null
publications() {
    for call in renameat2 symlink rename; do
        n=1
        while ! dies $call $n cagsr-update -q -m "$M" $V --publish p run.rec && [ $n -lt 40 ]; do
            begin="-m $M"
            [ ! -e p/current/training ] || begin='--resume p'
            cagsr-update -q $begin $V --publish p run.rec >/dev/null || echo "not behind $call $n"
            cmp p/current/model.safetensors p.whole/current/model.safetensors
            rm -rf p
            n=$((n + 1))
        done
        [ $n -gt 1 ] || echo "$call: never"
        rm -rf p
    done
}
no_strace || publications
cagsr-update -q -m "$M" $V --steps 1 --publish p run.rec >/dev/null
cp -r p/v000001 p/v000002
cagsr-update -q --resume p $V --publish p run.rec >/dev/null
diff -r p/current/ p.whole/current/ && echo "the same each time"
