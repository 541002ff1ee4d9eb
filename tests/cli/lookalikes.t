# examples/compare/lookalikes.sh: which answers it sets against each other, and what it leaves.
. "$KIT"
need jq
tiny=$SRC/examples/tiny-qa
compare=$SRC/examples/compare
export BUILD="${BUILD:-$SRC/build}"

echo "-- the answer that mentions least against the other's that mentions most"
cat >answers.jsonl <<'END'
{"prompt": "which red cup", "answers": ["the red cup", "a mug"]}
{"instruction": "the blue hat", "input": "of bob", "answers": ["bob blue hat", "his bonnet", "bob hat"]}
{"instruction": "nothing alike", "input": "", "answers": ["no"]}
{"prompt": "red cup of bob", "answers": ["red cup of bob"]}
END
jq -r '[.prompt // (.instruction + " " + .input), .answers[]] | @tsv' answers.jsonl | awk -v seed=1 -f "$compare/lookalikes.awk" | cut -d ' ' -f 1-4
jq -c '{prompt, answers: [.reference, (.reference / " " | .[2] + " " + .[1])]}' "$tiny/questions.jsonl" | head -n 60 >right.jsonl
"$compare/lookalikes.sh" "$tiny/model" right.jsonl like >tables 2>log
cat log
cut -f 1-3 like/default.tsv | grep -E 'auroc.(reward|coverage)'
grep -cE '^\| (coverage|lexical) \|( [0-9.]+ \[[0-9.]+, [0-9.]+\]\*? \|)+$' tables
rm like/default.tsv
"$compare/lookalikes.sh" "$tiny/model" right.jsonl like 2>&1 >again
cmp tables again && echo same
echo '{"prompt":"a b","answers":["c"]}' >none.jsonl
status "$compare/lookalikes.sh" "$tiny/model" none.jsonl nolike
