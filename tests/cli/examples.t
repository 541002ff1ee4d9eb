# The EXAMPLES of the manual pages, run as a user would: each display of a page, line by line
# as it stands there, in a directory where the files it names are those of the small example.
# A display that is `-unfilled` shows what the one before it writes, and must be that; where
# `.\" numbers vary` stands above it, for models are run, but for numbers.
. "$KIT"
need jq
tiny=$SRC/examples/tiny-qa

# What the pages take for given.
mkdir -p place/examples
cd place
ln -s "$tiny" examples/tiny-qa
ln -s "$SRC/examples/prompts.jsonl" examples/prompts.jsonl
awk -f "$tiny/world.awk" -v what=prompts -v n=6 -v seed=1 >six.jsonl
jq -c '{prompt, output: .reference}' six.jsonl >data.jsonl
for name in base a b; do cp -r "$tiny/model" $name; done
mkdir models
ln -s "$tiny/model" models/tiny-qa # what is taken without -m
# in the place of a real one: random weights under a byte-level tokenizer
mkdir config
cp "$SRC/tests/golden/tok/gpt2-style/tokenizer.json" config
jq '.vocab_size = 526' "$tiny/config.json" >config/config.json
cagsr-init -q -o random config/config.json
cagsr-convert -q --gguf -o SmolLM2-135M-Instruct-Q4_1.gguf random
ln -s "$SRC/tests/golden/llama-sharded" shards
export CAGSR_MODEL_PATH="$PWD/models" CAGSR_THREADS=1
cagsr-sample -q -m base -n 4 --raw --max-tokens 6 six.jsonl | cagsr-attn -q -m base >attn.rec
cagsr-reward -q attn.rec >first.rec
cagsr-update -q -m base -o trained first.rec >first.metrics
cagsr-update -q -m base --algo rm -o rm first.rec >/dev/null
cagsr-update -q -m base --lora-rank 2 -o adapter first.rec >/dev/null
cagsr-reward -q --calibrate scales attn.rec >/dev/null

# A page's displays under EXAMPLES, one script each: NAME.1, NAME.2 ...; what they write in
# NAME.N.want, or NAME.N.like.
displays() { # PAGE
    awk -v name="$(basename "$1")" '
        /^\.Sh/ { on = $2 == "EXAMPLES"; next }
        !on { next }
        /^\.\\" numbers vary/ { vary = 1; next }
        /^\.Dl / { file = name "." ++n; sub(/^\.Dl /, ""); print >file; close(file); next }
        /^\.Bd -unfilled/ { file = name "." n (vary ? ".like" : ".want"); inside = 1; vary = 0; next }
        /^\.Bd -literal/ { file = name "." ++n; inside = 1; next }
        /^\.Ed/ { inside = 0; close(file); next }
        inside { sub(/^\$ /, ""); print >file }
        END { print n + 0 }' "$1"
}

# What mdoc writes otherwise than the shell.
plain() { sed -e 's/\\(dq/"/g' -e 's/\\e/\\/g' -e 's/\\&//g' "$1"; }

# Numbers, with signs and stars, and how often a line comes do not count, nor blanks.
vague() { sed -E 's/[-+]?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?\*?/N/g' "$@" | tr -s ' ' | sed 's/ $//' | uniq; }

# A line that says whether the output is what the page shows.
compare() { # NAME.N
    for form in want like; do
        [ -f "$1.$form" ] || continue
        plain "$1.$form" >want
        cp out got
        if [ $form = like ]; then
            vague want >want.vague && mv want.vague want
            vague out >got
        fi
        if cmp -s want got; then
            echo "  and writes what the page shows"
        else
            diff want got || :
        fi
    done
}

# Whether all programs are there that a display names.
missing() {
    grep -oE '\b(cagsr-[a-z]+|jq)\b' "$1" | sort -u | while read -r program; do
        command -v "$program" >/dev/null || echo "$program"
    done
}

for page in "$SRC"/man/*.1; do
    name=$(basename "$page" .1)
    n=$(displays "$page")
    i=0
    # Every page finds the same; what one of its displays makes is there for the next.
    rm -rf policy policy.* versions tuned saved run short start
    if [ "$name" = cagsr-convert ]; then # GGUF has no word for words
        cp -r random policy
    else
        cp -r base policy
    fi
    cp six.jsonl prompts.jsonl
    cp first.rec run.rec
    cp first.metrics metrics.rec
    cp scales s.json
    cp "$SRC/examples/pictures/recorded/smollm2.rec" answers.rec
    cp "$SRC/tests/golden/smollm2-run/start.rec" "$SRC/tests/golden/smollm2-run/step4.rec" .
    for name_of_run in seed1 seed2 seed3 random; do cp first.metrics $name_of_run.rec; done
    while [ $i -lt "$n" ]; do
        i=$((i + 1))
        plain "$name.1.$i" | sed 's/--steps [0-9]*/--steps 2/' >script # the rest is time
        gone=$(missing script)
        if [ -n "$gone" ]; then
            echo "$name $i: not yet, for want of" $gone
            continue
        fi
        rc=0
        timeout 60 sh -e script <attn.rec >out 2>err || rc=$?
        if [ $rc -eq 0 ] && ! grep -q '^cagsr-[a-z]*: .*\(No such\|not an option\)' err; then
            echo "$name $i: ok"
            compare "$name.1.$i"
        else
            echo "$name $i: exit $rc"
            cat script
            cat err
        fi
    done
done
