# cagsr-convert to Hugging Face directories: nothing is lost on the way, and what is refused.
. "$KIT"
py=$(python_with json) || skip "no python"
G=$SRC/tests/golden

# same.py A B: the tensors of directory A are those of B, bit for bit.
cat >same.py <<'END'
import glob, json, struct, sys

def tensors(path):
    out = {}
    for name in sorted(glob.glob(path + "/*.safetensors")):
        if name.endswith("expected.safetensors"): continue
        data = open(name, "rb").read()
        n = struct.unpack("<Q", data[:8])[0]
        for k, t in json.loads(data[8:8 + n]).items():
            if k == "__metadata__": continue
            a, b = t["data_offsets"]
            out[k] = (t["dtype"], t["shape"], data[8 + n + a:8 + n + b])
    return out

a, b = tensors(sys.argv[1]), tensors(sys.argv[2])
b = {k: v for k, v in b.items() if not k.endswith(".attn.bias")}  # gpt2's masks
different = sorted(set(a) ^ set(b) | {k for k in set(a) & set(b) if a[k] != b[k]})
print(len(a), "tensors,", sorted({v[0] for v in a.values()}), different or "the same")
END

echo "-- from a directory: bit for bit, in its own type"
for name in gpt2-tiny gpt2-f16 llama-tiny llama-bf16 llama-sharded llama3-tiny mistral-tiny smollm2-tiny; do
    cagsr-convert -q -o "$name" "$G/$name"
    echo "$name: $($py same.py "$name" "$G/$name")"
    $py -c '
import json, sys
a, b = (json.load(open(d + "/config.json")) for d in sys.argv[1:])
print("".join("  %s: %s -> %s\n" % (k, b.get(k), a.get(k)) for k in sorted(set(a) | set(b)) if a.get(k) != b.get(k)), end="")
' "$name" "$G/$name"
done

echo "-- from GGUF: the twin's tensors"
cagsr-convert -q --no-tokenizer -o from-gguf "$G/gguf/llama-tiny-f32.gguf"
$py same.py from-gguf "$G/llama-tiny"
grep -h -e eps -e theta from-gguf/config.json llama-tiny/config.json
cagsr-convert -q --no-tokenizer -o half "$G/gguf/llama-tiny-f16.gguf"
cagsr-convert -q --dtype f16 -o half-f16 half
cagsr-convert -q --dtype f16 -o twin-f16 "$G/llama-tiny"
$py same.py half-f16 twin-f16
cagsr-convert -q -o half-again half-f16
$py same.py half-again half-f16

echo "-- types"
for type in f32 f16 bf16; do
    cagsr-convert -q --dtype $type -o $type "$G/llama-bf16"
    echo "$type: $($py same.py $type $type) $(grep -o '"[a-z]*float[0-9]*"' $type/config.json)"
done
cagsr-convert -q --dtype bf16 -o back f32
$py same.py back "$G/llama-bf16"

echo "-- shards, and together again"
cagsr-convert -q --max-shard-size 40K -o shards "$G/llama-tiny"
(cd shards && echo *.safetensors *.index.json)
$py -c '
import json, os
i = json.load(open("shards/model.safetensors.index.json"))
print(i["metadata"]["total_size"], len(i["weight_map"]), sorted(set(i["weight_map"].values())) ==
      sorted(f for f in os.listdir("shards") if f.endswith(".safetensors")))
print(max(os.path.getsize("shards/" + f) for f in os.listdir("shards")) < 60000)'
cagsr-convert -q -o one shards
$py same.py one "$G/llama-tiny"
cmp one/model.safetensors llama-tiny/model.safetensors
cagsr-convert -q --max-shard-size 1 -o single "$G/gpt2-tiny"
$py same.py single "$G/gpt2-tiny"

echo "-- the same model to the other tools"
printf '{"kind":"sample","id":"p","prompt_ids":[1,5,9,4],"ids":[7,8,2],"temperature":1.0}\n' >ids.jsonl
for model in "$G/llama-tiny" from-gguf shards; do
    cagsr-cat -s ids.jsonl | cagsr-attn -m "$model" | cagsr-cat -k sample -F ref | md5sum
done | uniq | wc -l

echo "-- nothing is overwritten"
status cagsr-convert -o one "$G/gpt2-tiny"
$py same.py one "$G/llama-tiny"
status cagsr-convert -q -f -o one "$G/gpt2-tiny"
$py same.py one "$G/gpt2-tiny"
touch file
status cagsr-convert -o file "$G/gpt2-tiny"
status cagsr-convert -f -o file "$G/gpt2-tiny"
status cagsr-convert -o no/such/place "$G/gpt2-tiny"

echo "-- refused"
status cagsr-convert -o out
status cagsr-convert "$G/gpt2-tiny"
status cagsr-convert -o out nowhere
status cagsr-convert -o out -q --dtype f64 "$G/gpt2-tiny"
status cagsr-convert -o out "$G/gguf/q_q8_0.gguf" 2>&1 | sed "s|$G|GOLDEN|g; s/one of .*/one of .../"
status cagsr-convert -o out "$G/gguf/q_q2_k.gguf" 2>&1 | sed "s|$G|GOLDEN|g"
status cagsr-convert -o out "$G/gguf" 2>&1 | sed "s|$G|GOLDEN|g"
mkdir big
cp "$G/gpt2-tiny/config.json" big
$py - "$G/gpt2-tiny/model.safetensors" big/model.safetensors <<'END'
import sys
d = bytearray(open(sys.argv[1], "rb").read())
d[-4:] = b"\x00\x00\x80\x7e"  # 2^126
open(sys.argv[2], "wb").write(d)
END
status cagsr-convert -q --dtype f16 -o out big 2>&1 | sed 's/tmp-[0-9]*/tmp-PID/'

# A model file cut at n bytes must be refused with one line, exit 3, and leave nothing.
refused() { # model
    rc=0
    cagsr-convert -q --no-tokenizer -o out "$1" 2>err || rc=$?
    [ $rc -eq 3 ] && [ "$(wc -l <err)" -eq 1 ] && [ ! -e out ]
}
cuts() { # size
    echo 0 1 3 7 8 9 15 16 23 24 31 32 40 63 64 100
    awk -v n="$1" 'BEGIN { for (i = 1; i < 60; i++) print int(n * i / 60); print n - 4096; print n - 64; print n - 5; print n - 1 }'
}
echo "-- cut anywhere"
f=$G/gguf/llama-tiny-f32.gguf bad= n=0
for at in $(cuts "$(wc -c <"$f")"); do
    head -c "$at" "$f" >cut.gguf
    refused cut.gguf || bad="$bad $at"
    n=$((n + 1))
done
echo "gguf: $n cuts, not refused:${bad:- none}"
mkdir cut
cp "$G/llama-tiny/config.json" cut
f=$G/llama-tiny/model.safetensors bad= n=0
for at in $(cuts "$(wc -c <"$f")"); do
    head -c "$at" "$f" >cut/model.safetensors
    refused cut || bad="$bad $at"
    n=$((n + 1))
done
echo "safetensors: $n cuts, not refused:${bad:- none}"
cp -r shards part
rm part/model-00002-of-*.safetensors
refused part && sed 's/part\/model-[0-9]*-of-[0-9]*/part\/model-N/' err

echo "-- a wrong header length, shape, type, name, number"
cat >spoil.py <<'END'
# spoil.py HOW IN OUT: the header changed, the values kept.
import json, struct, sys
how, src, to = sys.argv[1:]
d = open(src, "rb").read()
n = struct.unpack("<Q", d[:8])[0]
h, name = json.loads(d[8:8 + n]), "model.layers.1.mlp.up_proj.weight"
t, length, values = h[name], None, bytearray(d[8 + n:])
if how == "shape": t["shape"] = t["shape"][::-1]
elif how == "shape-too-large": t["shape"][0] += 1
elif how == "shape-overflow": t["shape"] = [2 ** 40, 2 ** 40]
elif how == "dtype": t["dtype"] = "F16"
elif how == "dtype-integer": t["dtype"] = "I32"
elif how == "dtype-unknown": t["dtype"] = "F7"
elif how == "offsets": t["data_offsets"][1] += 4
elif how == "missing": del h[name]
elif how == "missing-and-gone":
    a, b = h.pop(name)["data_offsets"]
    del values[a:b]
    for o in h.values():
        if "data_offsets" in o and o["data_offsets"][0] >= b:
            o["data_offsets"] = [x - (b - a) for x in o["data_offsets"]]
elif how == "renamed": h["model.layers.9.mlp.up_proj.weight"] = h.pop(name)
elif how == "nan": values[t["data_offsets"][0] + 8:t["data_offsets"][0] + 12] = b"\0\0\xc0\x7f"
text = json.dumps(h).encode()
text += b" " * (-len(text) % 8)
if how == "length-short": length = len(text) - 8
elif how == "length-long": length = len(text) + 8
elif how == "length-huge": length = 2 ** 63
elif how == "length-0": length = 0
open(to, "wb").write(struct.pack("<Q", len(text) if length is None else length) + text + values)
END
for how in none length-short length-long length-huge length-0 shape shape-too-large shape-overflow dtype \
    dtype-integer dtype-unknown offsets missing missing-and-gone renamed nan; do
    $py spoil.py $how "$f" cut/model.safetensors
    rm -rf out
    rc=0
    cagsr-convert -q -o out cut 2>err || rc=$?
    echo "$how: exit $rc $(cat err)"
done
ls -d out* .[!.]* 2>/dev/null || :
