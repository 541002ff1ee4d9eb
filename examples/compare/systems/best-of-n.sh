# No training: the best of N answers by the default reward.  KL of best-of-N: log N - (N-1)/N.
work()
{
    for many in 2 4 8; do
        rec=$cell/$many.t1.rec
        [ -e "$rec" ] || {
            cagsr-sample -q -m "$start" $sample -n "$many" -t 1 --seed $((7000 + seed)) \
                "$out/eval.jsonl" | cagsr-attn -q -m "$start" |
                cagsr-reward -q $measures -s "$base/scales" -w "$default_weights" --best 1 >"$rec.new"
            mv "$rec.new" "$rec"
        }
        measured "$many" t1 "$rec" "$(awk -v n=$many 'BEGIN { printf "%.4f", log(n) - (n - 1) / n }')"
    done
}
