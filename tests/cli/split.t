# cagsr-split and cagsr-merge: dealt out and put together, the records are what they were.
. "$KIT"
need jq
M=$SRC/examples/tiny-qa/model

awk -f "$SRC/examples/tiny-qa/world.awk" -v what=prompts -v n=7 -v seed=3 >prompts.jsonl
cagsr-sample -q -m "$M" -n 3 --raw --max-tokens 4 prompts.jsonl >a.rec
cagsr-cat a.rec >want

echo "-- any number of shards"
for n in 1 2 3 7 9; do
    rm -f s.*
    cagsr-split -n $n -o s a.rec
    for f in s.*; do cagsr-cat --check $f; done
    cagsr-merge $(ls s.* | sort -t . -k 2n) | cagsr-cat | cmp - want && echo "$n: same"
done
echo "-- the order of the files is free"
cagsr-split -n 3 -o s -f a.rec
cagsr-merge s.3 s.1 s.2 | cagsr-cat | cmp - want && echo same
echo "-- groups stay whole"
cagsr-cat -t -F id,cand,split s.2
echo "-- a filter drops groups and adds errors"
cagsr-cat s.1 | jq -c 'select(.id != "q3")' | cagsr-cat -s >t.1
cagsr-cat s.2 | jq -c 'if .id == "q4" and .cand == 2 then {kind: "error", id, cand, error: "bad", split} else . end' |
    cagsr-cat -s >t.2
cagsr-merge t.1 t.2 s.3 | cagsr-cat -F kind,id,cand
echo "-- shards of cagsr-sample"
for i in 1 2 3; do
    cagsr-sample -q -m "$M" -n 3 --raw --max-tokens 4 --shard $i/3 prompts.jsonl >p.$i
done
cagsr-merge p.1 p.2 p.3 | cagsr-cat | cmp - want && echo same
echo "-- one id many times, next to itself in a shard"
jq -c '.id = "same"' prompts.jsonl >same.jsonl
cagsr-sample -q -m "$M" -n 1 --raw --max-tokens 4 same.jsonl | cagsr-cat | awk '{ sub(/"cand":0/, "\"cand\":" NR); print }' >same
split_of() { cagsr-cat -s | cagsr-split -n 2 -o q -f && cagsr-merge q.1 q.2 | cagsr-cat; }
split_of <same | cmp - same && echo same
echo "-- other kinds"
printf '{"kind":"metric","step":%d}\n' 1 2 3 4 5 >metrics.jsonl
split_of <metrics.jsonl | cmp - metrics.jsonl && echo same
echo "-- cut streams"
# Where a stream is cut depends on the length of the paths in its header.
where() { sed 's/record [0-9]* at byte [0-9]*/record N/g'; }
whole=$(wc -c <a.rec)
head -c $((whole - 300)) a.rec >cut.rec
rm -f s.*
status cagsr-split -o s cut.rec | where
echo "$(ls s.* 2>/dev/null | wc -l) shards"
cagsr-split -n 2 -o s a.rec
whole=$(wc -c <s.2)
head -c $((whole - 300)) s.2 >cut.2
status cagsr-merge -o m.rec s.1 cut.2 | where
[ -e m.rec ] || echo "no m.rec"
{ cagsr-merge s.1 cut.2 2>/dev/null || :; } | status cagsr-cat -F id,cand | tail -n 3 | where
echo "-- command lines"
status cagsr-split a.rec
status cagsr-merge s.1 none
