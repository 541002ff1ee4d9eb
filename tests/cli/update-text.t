# cagsr-update on data sets of text: every form of prompts and answers gives the gradient of
# the tokens that cagsr-sample makes of the prompt, the answer's behind them.
. "$KIT"
need jq
char_model model
export CAGSR_THREADS=1

# The reference: prompt_ids as cagsr-sample has them; an answer's ids are its characters'
# places in the vocabulary, and the template's end of a turn (2), which is not the first stop.
prompts() { # [OPTION], JSON lines in: prompt_ids, one array a line
    cagsr-sample -q -m model -n 1 --max-tokens 1 "$@" | cagsr-cat -k sample -p | jq -c .prompt_ids
}
chars='def chars: [explode[] | if . == 32 then 97 else . - 30 end];'
# Prompts of three forms each, all the same two conversations.
cat >asked.jsonl <<'END'
{"prompt":"hi there"}
{"messages":[{"role":"system","content":"S"},{"role":"user","content":"q"},{"role":"assistant","content":"w"},{"role":"user","content":"x"}]}
END
prompts <asked.jsonl >asked.ids
expect() { # ANSWERS as JSON, END-TOKEN -> expected.jsonl, a sample for each of two prompts
    jq -c --argjson said "$1" --argjson stop "$2" "$chars"'
        {kind: "sample", id: "e\(input_line_number)", prompt_ids: ., ids: ($said[input_line_number - 1] | chars + [$stop])}' asked.ids
}
gradient() { # OUT OPTION... FILE
    out=$1
    shift
    cagsr-update -q -m model --grads "$out" "$@" >/dev/null
}
expect '["yes", "no way"]' 2 >expected.jsonl
head -n 1 expected.jsonl | jq -c .ids
gradient whole --algo sft expected.jsonl
for k in 1 2; do
    sed -n ${k}p expected.jsonl >one.jsonl
    gradient one$k --algo sft one.jsonl
done

echo "-- sft: prompts and answers in every form"
cat >said1.jsonl <<'END'
{"prompt":"hi there","response":"yes"}
{"prompt":"hi there","completion":"yes","other":[1]}
{"messages":[{"role":"user","content":"hi there"}],"response":"yes"}
{"messages":[{"role":"user","content":"hi there"},{"role":"assistant","content":"yes"}]}
{"messages":[{"role":"user","content":[{"type":"text","text":"hi "},{"type":"text","text":"there"}]},{"role":"assistant","content":[{"type":"text","text":"yes"}]}]}
{"prompt":[{"role":"user","content":"hi there"}],"completion":[{"role":"assistant","content":"yes"}]}
{"completion":[{"role":"user","content":"hi there"},{"role":"assistant","content":"yes"}]}
{"conversations":[{"from":"human","value":"hi there"},{"from":"gpt","value":"yes"}]}
{"instruction":"hi there","output":"yes","text":"all of it"}
{"instruction":"hi there","input":"","output":"yes"}
{"question":"hi there","answer":"yes"}
{"kind":"example","id":7,"prompt":"hi there","text":"yes"}
END
cat >said2.jsonl <<'END'
{"messages":[{"role":"system","content":"S"},{"role":"user","content":"q"},{"role":"assistant","content":"w"},{"role":"user","content":"x"}],"response":"no way"}
{"messages":[{"role":"system","content":"S"},{"role":"user","content":"q"},{"role":"assistant","content":"w"},{"role":"user","content":"x"},{"role":"assistant","content":"no way"}]}
{"system":"S","messages":[{"role":"user","content":"q"},{"role":"assistant","content":"w"},{"role":"user","content":"x"},{"role":"assistant","content":"no way"}]}
{"conversations":[{"from":"system","value":"S"},{"from":"human","value":"q"},{"from":"gpt","value":"w"},{"from":"human","value":"x"},{"from":"gpt","value":"no way"}]}
END
each() { # FILE EXPECTED OPTION...
    said=$1 want=$2 same=0
    shift 2
    while read -r line; do
        echo "$line" >line.jsonl
        gradient got "$@" line.jsonl
        if cmp -s "$want" got; then same=$((same + 1)); else echo "not so: $line"; fi
    done <"$said"
    echo "$same the same"
}
each said1.jsonl one1 --algo sft
each said2.jsonl one2 --algo sft
echo "-- through cagsr-cat, and in one file"
{ sed -n 4p said1.jsonl; sed -n 4p said2.jsonl; } >two.jsonl
cagsr-cat -s two.jsonl | cagsr-cat | cagsr-cat -s >two.rec
gradient got --algo sft two.rec
cmp got whole && echo same
echo "-- only the answer is learnt from: with another one the loss is another"
sed 's/"yes"/"yet"/' two.jsonl >other.jsonl
gradient got --algo sft other.jsonl
cmp -s got whole || echo another
echo "-- without a template"
head -n 1 asked.jsonl >raw.jsonl
prompts --raw <raw.jsonl | jq -c --argjson stop 0 "$chars"'
    {kind: "sample", id: "r", prompt_ids: ., ids: ("yes" | chars + [$stop])}' >one.jsonl
gradient want --algo sft one.jsonl
head -n 3 said1.jsonl >said.jsonl
each said.jsonl want --algo sft --raw

echo "-- dpo and rm: pairs in every form"
cat >pairs.jsonl <<'END'
{"prompt":"hi there","chosen":"yes","rejected":"no"}
{"messages":[{"role":"user","content":"hi there"}],"chosen":"yes","rejected":"no"}
{"prompt":[{"role":"user","content":"hi there"}],"chosen":[{"role":"assistant","content":"yes"}],"rejected":[{"role":"assistant","content":"no"}]}
{"chosen":[{"role":"user","content":"hi there"},{"role":"assistant","content":"yes"}],"rejected":[{"role":"user","content":"hi there"},{"role":"assistant","content":"no"}]}
{"prompt":"hi there","chosen":[{"role":"user","content":"hi there"},{"role":"assistant","content":"yes"}],"rejected":[{"role":"user","content":"hi there"},{"role":"assistant","content":"no"}]}
{"conversations":[{"from":"human","value":"hi there"}],"chosen":{"from":"gpt","value":"yes"},"rejected":{"from":"gpt","value":"no"}}
END
head -n 1 asked.ids | jq -c "$chars"'
    {prompt_ids: ., chosen_ids: ("yes" | chars + [2]), rejected_ids: ("no" | chars + [2])}' >pair.jsonl
gradient dpo --algo dpo --ref model pair.jsonl
gradient rm --algo rm pair.jsonl
each pairs.jsonl dpo --algo dpo --ref model
each pairs.jsonl rm --algo rm

echo "-- what cannot be"
refused() { # OPTION... , the record on standard input
    cat >bad.jsonl
    rc=0
    cagsr-update -q -m model --algo "$@" --grads got bad.jsonl 2>err >/dev/null || rc=$?
    echo "$(cat err), exit $rc"
}
echo '{"messages":[{"role":"user","content":"q"}]}' | refused sft
echo '{"response":"yes"}' | refused sft
echo '{"messages":[{"role":"user"}],"response":"yes"}' | refused sft
echo '{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"response":"yes"}' | refused sft
echo '{"prompt":"q","completion":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}' | refused sft
echo '{"prompt":"q","completion":[{"role":"user","content":"a"}]}' | refused sft
echo '{"prompt":"q","response":7}' | refused sft
echo '{"messages":[],"response":"a"}' | refused sft
echo '{"messages":[{"role":"user","content":"q"},{"role":"user","content":"r"}],"response":"a"}' | refused sft --raw
echo '{"prompt":"q","chosen":"a"}' | refused rm
echo '{"prompt":"q","rejected":"a"}' | refused rm
echo '{"prompt":"q","chosen":[],"rejected":"a"}' | refused rm
echo '{"chosen":"a","rejected":"b"}' | refused rm
echo '{"prompt":"q","chosen":"a","rejected":"b"}' | refused dpo
echo '{"chosen":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"rejected":[{"role":"user","content":"r"},{"role":"assistant","content":"b"}]}' | refused rm
echo '{"chosen":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"rejected":"b"}' | refused rm
echo '{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"w"}],"chosen":"a","rejected":"b"}' | refused rm
jq -nc '{prompt: "q", response: ([range(120) | "x"] | add)}' | refused sft
