# cagsr-attn against the golden attention and log-probabilities, and what it refuses.
. "$KIT"
py=$(python_with json) || skip "no python"
G=${CAGSR_GOLDEN:-$SRC/tests/golden}

# golden.py DIR make > records;  golden.py DIR check MODE < records with attn.
# Two candidates behind the first half of each sequence: the rest of it, and less of it.
cat >golden.py <<'END'
import json, struct, sys

def tensors(path):
    data = open(path, "rb").read()
    n = struct.unpack("<Q", data[:8])[0]
    for name, t in json.loads(data[8:8 + n]).items():
        if name == "__metadata__": continue
        a, b = t["data_offsets"]
        v = struct.unpack("<%d%s" % ((b - a) // 4, "i" if t["dtype"] == "I32" else "f"), data[8 + n + a:8 + n + b])
        yield name, (t["shape"], v)

def nested(shape, v):
    if not shape: return v[0]
    step = len(v) // shape[0] if shape[0] else 0
    return [nested(shape[1:], v[i * step:(i + 1) * step]) for i in range(shape[0])]

G = {k: nested(s, v) for k, (s, v) in tensors(sys.argv[1] + "/expected.safetensors") if k[0] == "s" and k[1] in "01"}
L = len([k for k in G if k.startswith("s0.attn.")])

def cases():
    for s in "s0", "s1":
        ids = G[s + ".input_ids"]
        P = len(ids) // 2
        for c, T in enumerate([len(ids) - P, (len(ids) - P) // 2]):
            yield s, ids[:P], ids[P:P + T], c

if sys.argv[2] == "make":
    for s, p, ids, c in cases():
        print(json.dumps({"kind": "sample", "id": s, "cand": c, "prompt_ids": p, "ids": ids, "temperature": 0.7, "kept": [1, {"x": None}]}))
    sys.exit()

mode, worst, logp, mass = sys.argv[3], 0, 0, 0
def mean(rows): return [sum(x) / len(x) for x in zip(*rows)]
for line, (s, p, ids, c) in zip(sys.stdin, cases()):
    r = json.loads(line)
    assert (r["id"], r["cand"], r["ids"], r["kept"]) == (s, c, ids, [1, {"x": None}]), r
    a, P = r["attn"], len(p)
    lo, hi = map(int, a["layers"].split(":"))
    for t in range(len(ids)):
        each = [[G["%s.attn.%d" % (s, l)][h][P - 1 + t] for h in range(len(G[s + ".attn.0"]))] for l in range(lo, hi)]
        if mode == "each":
            pairs = [(a["rows"][l][h][t], a["outside"][l][h][t], each[l][h]) for l in range(hi - lo) for h in range(len(each[0]))]
        else:
            pairs = [(a["rows"][t], a["outside"][t], mean([row for layer in each for row in layer]))]
        for got, out, want in pairs:
            worst = max([worst] + [abs(x - y) for x, y in zip(got, want[:P])])
            mass = max(mass, abs(sum(got) + out - 1), abs(out - sum(want[P:])))
            assert len(got) == P
        if "ref" in r:
            logp = max(logp, abs(r["ref"][t] - G[s + ".logp_t07"][P - 1 + t]))
assert worst <= 2e-5 and logp <= 1e-4 and mass <= 1e-4, (worst, logp, mass)
print(a["layers"] == "0:%d" % L, a["heads"], a["reduce"], "ref" in r)
END

for dir in "$G"/*/; do
    name=$(basename "$dir")
    case $name in gpt2-*|llama*-*|mistral-*|smollm2-*) ;; *) continue ;; esac
    grep -q '"s0.attn.0"' "$dir/expected.safetensors" 2>/dev/null || continue
    echo "-- $name"
    $py golden.py "$dir" make >in.jsonl
    for mode in mean each; do
        cagsr-attn -m "$dir" -j 2 --layers all --heads $mode in.jsonl >out.rec
        cagsr-cat -p out.rec | $py golden.py "$dir" check $mode
    done
    cagsr-attn -m "$dir" -j 1 --layers 1: --no-logp in.jsonl | cagsr-cat -p |
        $py golden.py "$dir" check mean
    # one pass or many, one candidate or two: the same numbers to rounding
    cagsr-attn -m "$dir" --batch 1 --layers all in.jsonl | cagsr-cat -p |
        $py golden.py "$dir" check mean
done

m=$G/llama-tiny
$py golden.py "$m" make >in.jsonl
echo "-- defaults and names"
cagsr-attn -m "$m" in.jsonl >out.rec
cagsr-cat -n 1 -F attn.layers,attn.heads,attn.reduce,attn.kind out.rec
cagsr-attn -m "$m" --logp mine --no-attn in.jsonl | cagsr-cat -n 1 | sed 's/.*"kept"/"kept"/; s/\[-.*\]/[...]/'
cagsr-cat -H out.rec | sed -n '1s/.*"pn":"cagsr-attn".*"model":"\([0-9a-f]*\)","dtype":"f32".*/\1/p' >hash
cagsr-cat -n 1 -t -F attn.model out.rec | sed 1d | cmp - hash && echo "the header names the model"
echo "-- weights of heads"
printf '# layer head weight\n1 0 3\n1 1 1\n' >w
cagsr-attn -m "$m" --layers 1: --heads w in.jsonl | cagsr-cat -n 1 -F attn.heads | sed 's/:[0-9a-f]*"/:..."/2'
for weight in -1 nan 1e39 x; do
    echo "1 0 $weight" >w
    status cagsr-attn -q -m "$m" --layers 1: --heads w -o never.rec in.jsonl
done 2>&1 | sort | uniq -c
echo "-- what is no sample, and empty answers, pass"
echo '{"kind":"metric","x":1}' >odd.jsonl
sed -n '1s/"ids": *\[[^]]*\], *"temp/"ids":[],"temp/p' in.jsonl >>odd.jsonl
cagsr-attn -m "$m" odd.jsonl | cagsr-cat -F x,ids,ref,attn.rows | sed 's/"\$nd":\[0,[0-9]*\]/"$nd":[0,P]/'
echo "-- capture while sampling is what recomputation finds, logp is ref"
cat >law.py <<'END'
import json, sys
worst = n = 0
def flat(x): return [z for y in x for z in flat(y)] if isinstance(x, list) else [x]
for a, b in zip(open(sys.argv[1]), open(sys.argv[2])):
    a, b = json.loads(a), json.loads(b)
    pairs = [(a["attn"]["rows"], b["attn"]["rows"]), (a["attn"]["outside"], b["attn"]["outside"])]
    d = [abs(x - y) for p, q in pairs for x, y in zip(flat(p), flat(q), strict=True)]
    worst = max([worst] + d + [abs(x - y) / 10 for x, y in zip(a["logp"], b["ref"], strict=True)])
    n += 1
print(n, "records", "the same" if worst <= 1e-5 else worst)
END
printf '{"id":"a","prompt_ids":[1,2,3,4,5]}\n{"id":"b","prompt_ids":[7]}\n' >prompts.jsonl
for name in gpt2-tiny llama-tiny mistral-tiny; do
    cagsr-sample -m "$G/$name" -n 3 -t 0.7 --max-tokens 9 --ignore-eos --attn=1: prompts.jsonl >s.rec
    cagsr-attn -m "$G/$name" -l 1: s.rec | cagsr-cat -p >b.jsonl
    cagsr-cat -p s.rec >a.jsonl
    $py law.py a.jsonl b.jsonl
done
echo "-- refused"
refuse() {
    sed "$1" in.jsonl >bad.jsonl
    rc=0
    cagsr-attn -m "$m" bad.jsonl >bad.rec 2>err || rc=$?
    sed 's/of [0-9][0-9]*$/of .../; s/prompt of [0-9]*, .*/.../' err
    echo "exit $rc, $(cagsr-cat bad.rec 2>/dev/null | wc -l) before it"
}
refuse '4s/"ids": *\[[0-9]*/"ids": [1000000/'
refuse '3s/"prompt_ids": *\[[0-9]*/"prompt_ids": [-1/'
refuse '3s/"temperature": 0.7/"temperature": -1/'
refuse '1s/"temperature": 0.7, //'
refuse '2s/"prompt_ids"/"prompt"/'
refuse '4s/"ids": *\[.*\], "temp/"ids": "text", "temp/'
long=$(awk 'BEGIN { for (i = 0; i < 70000; i++) printf "1," }')
printf '%s\n' "{\"kind\":\"sample\",\"id\":\"long\",\"prompt_ids\":[1],\"ids\":[${long}1],\"temperature\":1}" >long.jsonl
rc=0
cagsr-attn -m "$m" --heads each long.jsonl >bad.rec 2>err || rc=$?
cut -c 1-60 err
echo "exit $rc"
status cagsr-attn -m "$m" --logp ids in.jsonl -o x.rec
status cagsr-attn -m "$m" --layers 9:1 in.jsonl -o x.rec | sed 's/<= [0-9]*$/<= L/'
status cagsr-attn -m no-such-model in.jsonl -o x.rec | sed 's/: .*//'
ls x.rec 2>/dev/null || echo "no file"
head -c 200 out.rec | cagsr-attn -m "$m" -q >bad.rec 2>err || echo "cut input: exit $?"
