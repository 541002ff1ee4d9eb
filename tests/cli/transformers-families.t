# Every decoder family in transformers: directories that were read and written, that an
# update wrote, that began as GGUF, and that cagsr-init made of a config.json alone.
. "$KIT"
. "$SRC/tests/cli/transformers-kit.sh"
need jq
py=$(oracle_python) || skip "$no_oracle"
G=$SRC/tests/golden

# A family's directory without what transformers warns about in published files: gemma's
# act by its old name, phi3's factor left out; or its config.json alone, for new weights.
# (Not by jq, which makes 8 of 8.0: transformers minds.)
cat >prepare.py <<'END'
import json, shutil, sys
golden, name = sys.argv[1:]
shutil.copytree(golden + "/" + name, "in")
c = json.load(open("in/config.json"))
if name == "gemma-tiny":
    c["hidden_act"] = "gelu_pytorch_tanh"
if name == "phi3-tiny":
    c["rope_scaling"]["factor"] = 8.0
json.dump(c, open("in/config.json", "w"))
json.dump(dict(c, initializer_range=0.5), open("config.json", "w"))
END
for name in $(sed -n 's/^DECODER("\(.*\)")$/\1/p' "$G/models.h"); do
    "$py" prepare.py "$G" "$name"
    cagsr-convert -q -o "$name" in
    ask "$name" "$name converted" 1e-4
    update "$name" "$name-updated"
    ask "$name-updated" "$name updated" 1e-4
    cagsr-init -q -o "$name-new" config.json
    ask "$name-new" "$name new" 1e-4
    chmod -R u+w in && rm -r in
done
for file in "$G"/gguf-families/*.gguf; do
    name=$(basename "$file")
    cagsr-convert -q --no-tokenizer -o "from-$name" "$file"
    if [ "$name" = phi3-tiny.gguf ]; then # as in published ones; transformers 5 would have it said, and says so
        jq '.rope_scaling.factor = 8' "from-$name/config.json" >config.json
        cp config.json "from-$name"
    fi
    ask "from-$name" "$name.gguf converted" 1e-4
done
answers >said
grep -v ': 2 ok$' said || echo "no faults"
[ "$(grep -c converted said)" -gt "$(grep -c new said)" ] && echo "all were asked"
