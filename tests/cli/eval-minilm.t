# Relevance by the real all-MiniLM-L6-v2 is its cosine in transformers.
. "$KIT"
need jq
for d in "$BUILD"/models/all-MiniLM-L6-v2 "$SRC"/build/models/all-MiniLM-L6-v2; do
    [ ! -d "$d" ] || E=$d
done
[ -n "${E:-}" ] || skip "no all-MiniLM-L6-v2: make minilm"

pairs=$SRC/tests/golden/minilm/pairs.json
jq -c 'to_entries[] | {kind: "sample", id: "p\(.key)", cand: 0, prompt: .value.a, text: .value.b}' "$pairs" |
    cagsr-eval -E "$E" -M relevance -e | cagsr-cat | jq -c '.metrics.relevance' >got
jq -c '.[].cosine' "$pairs" | paste - got | awk '{ d = $1 - $2; if (d < 0) d = -d; n += d < 1e-4 } END { print n " of " NR }'
