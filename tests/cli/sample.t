# cagsr-sample on a tiny model with random weights: forms of prompts, records, laws.
. "$KIT"
need jq

char_model model

sample() {
    cagsr-sample -m model --max-tokens 6 -j1 "$@"
}
fields() {
    cagsr-cat -k sample -p -F "$1"
}

echo "-- forms of prompts"
cat >forms.jsonl <<'END'
{"id": "string", "prompt": "say a b"}
{"id": 7, "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "u"}]}
{"id": "parts", "messages": [{"role": "user", "content": [{"type": "text", "text": "p"}, {"type": "text", "text": "q"}]}]}
{"id": "answered", "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "the answer"}]}
{"id": "history", "conversations": [{"from": "human", "value": "h1"}, {"from": "gpt", "value": "g1"}, {"from": "human", "value": "h2"}]}
{"id": "alpaca", "instruction": "do", "input": "this", "output": "done", "label": 3}
{"id": "plain", "instruction": "do", "input": "", "reference": "mine", "output": "done"}
{"id": "trl", "prompt": [{"role": "user", "content": "t"}]}
{"id": "ids", "prompt_ids": [1, 40, 2]}
{"prompt": "no id"}
{"prompt": "no id"}
END
sample -n 1 forms.jsonl | cagsr-cat -k sample -p >forms.out
jq -c '[.id, .prompt, .reference, .label]' forms.out
sample -n 2 forms.jsonl | cagsr-cat --check=schema
sample -n 1 --raw --system "" forms.jsonl 2>/dev/null >/dev/null || echo "raw takes no conversations"

echo "-- what the template sees"
cp -r model jinja
jq -n '{eos_token: "<eos>", chat_template:
    "{%- for t in tools or [] %}<{{ t.name }}>{% endfor %}{% for m in messages %}{{ m.role }}:{{ m.content }}{{ m.tool_calls | tojson if m.tool_calls }}{{ m.nothing is defined }}{{ eos_token }}{% endfor %}{{ style | d(\"-\") }}{{ bos_token is defined }}{% if add_generation_prompt %}{{ strftime_now(\"%Y\") }}{% endif %}"}' \
    >jinja/tokenizer_config.json
cat >seen.jsonl <<'END'
{"id": "1", "messages": [{"role": "user", "content": "u"}], "tools": [{"name": "f"}, {"name": "g"}], "chat_template_kwargs": {"style": "S"}}
{"id": "2", "messages": [{"role": "user", "content": "u", "nothing": null}, {"role": "assistant", "tool_calls": [{"n": 1.5}]}, {"role": "tool", "content": {"a": 1}}]}
{"id": "3", "prompt": "p", "tools": null}
END
SOURCE_DATE_EPOCH=0 cagsr-sample -m jinja --max-tokens 1 -j1 -n 1 seen.jsonl | cagsr-cat -k sample -p | jq -r .prompt
for bad in '"tools": "f"' '"chat_template_kwargs": [1]' '"chat_template_kwargs": {"style": {"$bin": ""}}'; do
    echo "{\"id\": \"x\", \"prompt\": \"p\", $bad}" | cagsr-sample -m jinja -n 1 2>&1 >/dev/null || true
done

echo "-- an array, a stream, text"
jq -s . forms.jsonl >array.json
sample -n 1 array.json | cagsr-cat -k sample -p | cmp - forms.out && echo same
cagsr-cat -s forms.jsonl | sample -n 1 | cagsr-cat -k sample -p | cmp - forms.out && echo same
printf 'one\n\ntwo\n' | sample -n 1 --text | fields prompt
printf 'a b' | sample -n 1 --text --raw | fields prompt,prompt_ids,prompt_ends
sample -n 1 --system Sys forms.jsonl | cagsr-cat -k sample -p | jq -r 'select(.id == "string" or .id == "7") | .prompt' | head -n 5

echo "-- the mask is the user's content"
sample -n 1 forms.jsonl | cagsr-cat -k sample -p -F prompt,prompt_ends,prompt_mask | head -n 2 |
    jq -r '.prompt_ends as $e | .prompt as $p | (.prompt_mask | @base64d | explode) as $m
           | [range($m | length) | select($m[.] == 1) | $p[(if . > 0 then $e[. - 1] else 0 end):$e[.]]] | join("|")'

echo "-- the same bytes whatever the batch, the threads, the order, the shard"
head -n 8 forms.jsonl >some.jsonl
run() {
    sample -n 4 --seed 5 --attn=all "$@" | cagsr-cat -k sample
}
run some.jsonl >base
run --batch 1 some.jsonl | cmp - base && echo batch 1
run --batch 3 -j2 some.jsonl | cmp - base && echo batch 3, two threads
sort base >sorted
sort -r some.jsonl | run | sort | cmp - sorted && echo order
for i in 1 2 3; do run --shard $i/3 some.jsonl; done | sort | cmp - sorted && echo shards
run --seed 6 some.jsonl | cmp -s - base || echo another seed, others
# Many rows and steps: each thread draws some, also where there is but one processor.
run -n 16 --max-tokens 40 some.jsonl >long
run -n 16 --max-tokens 40 --batch 128 -j4 some.jsonl | cmp - long && echo four threads, many rows
run some.jsonl some.jsonl | fields id | uniq | tail -n 2

echo "-- greedy, end tokens, lengths"
sample -n 3 -t 0 some.jsonl | cagsr-cat -k sample -p | jq -c '[.id, .ids]' | sort -u | wc -l
sample -n 8 --max-tokens 40 some.jsonl | cagsr-cat -k sample -p |
    jq -c '[.finish, (if .finish == "eos" then (.ids[-1] == 0 or .ids[-1] == 2) else (.ids | length) end),
            (.logp | length) == (.ids | length), (.logp | max) <= 0, .ends[-1] == (.text | utf8bytelength)]' | sort | uniq -c |
    awk '{print $2}'
sample -n 4 --ignore-eos some.jsonl | cagsr-cat -k sample -p | jq -c '[.finish, (.ids | length)]' | sort -u

echo "-- a stop string is drawn, and not in the text"
sample -n 1 --ignore-eos --max-tokens 30 some.jsonl | cagsr-cat -k sample -p -F id,text,ids >whole
stop=$(jq -r 'select(.id == "string").text[4:6]' whole)
sample -n 1 --ignore-eos --max-tokens 30 --stop never --stop "$stop" some.jsonl | cagsr-cat -k sample -p >cut
jq -n --arg stop "$stop" --slurpfile a whole --slurpfile b cut '
    [range($a | length) | . as $i | ($a[$i].text | index($stop)) as $at
     | if $at == null then $b[$i].finish == "length" and $b[$i].text == $a[$i].text
       else $b[$i].finish == "stop" and $b[$i].text == $a[$i].text[:$at]
            and $b[$i].ids == $a[$i].ids[:($b[$i].ids | length)] end] | all'
jq 'select(.id == "string") | .finish == "stop"' cut

echo "-- attention: rows and what lies outside are a whole"
sample -n 2 --attn some.jsonl | cagsr-cat -k sample -p | jq -r '.attn.layers, (.attn | [.rows, .outside] | transpose[] | (.[0] | add) + .[1])' |
    awk '/:/ {print; next} {if ($1 < 0.99999 || $1 > 1.00001) print "row adds up to " $1}' | sort -u

echo "-- records that are none of ours keep their place"
{ head -n 1 forms.jsonl; echo '{"kind":"note","x":1}'; sed -n 2p forms.jsonl; echo '{"kind":"note","x":2}'; } |
    sample -n 1 | cagsr-cat -p -F kind,id,x
sample </dev/null | cagsr-cat --check && echo no prompts, no samples

echo "-- what cannot be"
refused() { # the command: what it says, its exit status; what it wrote is in out
    rc=0
    "$@" >out 2>err || rc=$?
    cat err
    echo "exit $rc"
}
long=$(printf '%200s' | tr ' ' x)
printf '{"id":"first","prompt":"ok"}\n{"id":"long","prompt":"%s"}\n{"id":"last","prompt":"ok"}\n' "$long" >long.jsonl
refused sample -n 1 long.jsonl
cagsr-cat -q --allow-truncated -F id out
sample -q -n 1 --skip-long long.jsonl | cagsr-cat -p -F kind,id
echo '{"id":"x","prompt_ids":[5, 1000]}' | refused sample -n 1
echo '{"id":"x"}' | refused sample
echo '{"id":"x","messages":[{"role":"user"}]}' | refused sample
echo '{"id":"x","prompt":""}' | refused sample --raw
echo '{"id":"x","prompt":7}' | refused sample
echo '{"kind":"sample","id":"x","prompt":"a"}' | refused sample
echo '[{"prompt":"a"}, 3]' | refused sample -n 1
printf '[{"prompt":"a"}' | refused sample -n 1
head -n 2 forms.jsonl | cagsr-cat -s | head -c 100 | refused sample
refused sample --shard 3/2 forms.jsonl
refused sample --raw --system S forms.jsonl
refused sample nothing.jsonl
cp -r "$SRC"/tests/golden/smollm2-tiny bare
refused cagsr-sample -m bare --stop x forms.jsonl
refused cagsr-sample -m bare -n 1 forms.jsonl
rc=0
sample -n 1 some.jsonl 2>err >/dev/full || rc=$?
echo "$(cat err), exit $rc"
sed 's/endfor/endfour/' model/tokenizer_config.json >t && mv t model/tokenizer_config.json
refused sample -n 1 some.jsonl
sample -n 1 --raw --text </dev/null | cagsr-cat --check && echo raw goes without
