# cagsr-update --grads against torch's gradients of the golden models, and the loss and norm of
# its metrics.  Safetensors are read with od and awk: what is compared is bytes in files.
. "$KIT"
G=$SRC/tests/golden

# "name first-byte bytes" of each F32 tensor.
tensors() { # FILE
    n=$(od -An -N8 -tu8 "$1" | tr -d ' ')
    tail -c +9 "$1" | head -c "$n" | tr '}' '\n' | sed -n \
        's/.*"\([^"]*\)":{"dtype":"F32".*"data_offsets":\[\([0-9]*\),\([0-9]*\)\].*/\1 \2 \3/p' |
        awk -v head="$n" '{ print $1, head + 9 + $2, $3 - $2 }'
}

numbers() { # FILE FIRST BYTES
    tail -c "+$2" "$1" | head -c "$3" | od -An -v -tf4 -w4
}

# Every tensor PREFIXname of GOLDEN stands in OURS as name, within TOLERANCE.
same_tensors() { # OURS GOLDEN PREFIX TOLERANCE
    tensors "$1" >ours
    tensors "$2" | awk -v p="$3" 'index($1, p) == 1 { print substr($1, length(p) + 1), $2, $3 }' >theirs
    [ -s theirs ] && [ "$(wc -l <theirs)" -eq "$(wc -l <ours)" ] || { echo "other tensors"; return; }
    while read -r name at bytes; do
        set -- "$1" "$2" "$3" "$4" $(awk -v n="$name" '$1 == n { print $2, $3 }' ours)
        [ $# -eq 6 ] && [ "$6" = "$bytes" ] || { echo "no such tensor: $name"; continue; }
        numbers "$1" "$5" "$6" >a
        numbers "$2" "$at" "$bytes" | paste a - | awk -v name="$name" -v tolerance="$4" '
            { d = $1 > $2 ? $1 - $2 : $2 - $1 } !(d <= worst) { worst = d }
            END { if (!(worst <= tolerance)) print name, "differs by", worst }'
    done <theirs >differences
    cat differences
    [ -s differences ] || echo "all tensors"
}

near() { # WHAT A B TOLERANCE
    awk -v a="$2" -v b="$3" -v t="$4" -v what="$1" 'BEGIN {
        d = a > b ? a - b : b - a
        print what, a != "" && b != "" && d <= t ? "agrees" : "differs: " a " and " b }'
}

scalar() { # FILE NAME: the first number of a tensor
    set -- "$1" $(tensors "$1" | awk -v n="$2" '$1 == n { print $2 }')
    numbers "$1" "$2" 4 | tr -d ' '
}

echo "-- the gradient of sft over whole sequences is torch's"
for name in gpt2-tiny llama-tiny llama3-tiny mistral-tiny smollm2-tiny; do
    want=$G/$name/expected.safetensors
    n=$(od -An -N8 -tu8 "$want" | tr -d ' ')
    # The loss is over all next tokens of both sequences: the first token is the prompt.
    for s in s0 s1; do
        tail -c +9 "$want" | head -c "$n" | tr '}' '\n' |
            sed -n "s/.*\"$s.input_ids\":.*\"data_offsets\":\[\([0-9]*\),\([0-9]*\)\].*/\1 \2/p" |
            while read -r from to; do
                tail -c "+$((n + 9 + from))" "$want" | head -c $((to - from)) | od -An -v -td4 -w4
            done | tr -d ' ' | paste -s -d, |
            sed "s/\([0-9]*\),\(.*\)/{\"kind\":\"sample\",\"id\":\"$s\",\"prompt_ids\":[\1],\"ids\":[\2]}/"
    done >whole.jsonl
    cagsr-update -m "$G/$name" --algo sft --grads grads whole.jsonl >/dev/null
    echo "$name: $(same_tensors grads "$want" grad. 1e-4)"
    # Cut into passes of a few rows it is the same gradient.
    cagsr-update -m "$G/$name" --algo sft --rows 1 --grads grads whole.jsonl >/dev/null
    echo "$name in parts: $(same_tensors grads "$want" grad. 1e-4)"
    cagsr-update -m "$G/$name" --algo sft --epochs 1 -o "out.$name" whole.jsonl | cagsr-cat >m
    near "$name: loss" "$(jq .loss m)" "$(scalar "$want" loss)" 2e-5
    near "$name: norm" "$(jq .grad_norm m)" "$(scalar "$want" adam.gnorm)" 1e-3
done

