# cagsr-attn takes groups that are there into one pass, with the same results, and waits for
# none while it holds one.
. "$KIT"
m=$SRC/tests/golden/llama-tiny

# Groups of 1 to 4 candidates behind prompts of 1 to 9 tokens; some answers are empty, one
# prompt changes inside its group, and every fifth group is followed by what is no sample.
awk 'BEGIN {
    for (g = 0; g < 200; g++) {
        prompt = g % 50
        for (i = 0; i < g % 9; i++) prompt = prompt "," (g * 7 + i * 3) % 60
        for (c = 0; c <= g % 4; c++) {
            ids = ""
            for (t = 0; t < (g * 5 + c * 3) % 13; t++) ids = ids (t ? "," : "") (g + c * 11 + t * 5) % 60
            if (g == 77 && c == 1) prompt = prompt ",5"
            printf "{\"kind\":\"sample\",\"id\":\"g%d\",\"cand\":%d,\"prompt_ids\":[%s],\"ids\":[%s],\"temperature\":0.7}\n", g, c, prompt, ids
        }
        if (g % 5 == 0) printf "{\"kind\":\"metric\",\"x\":%d}\n", g
    }
}' >in.jsonl
sed -n '1,40p' in.jsonl | stream_of first.rec
sed -n '41,$p' in.jsonl | stream_of second.rec
wc -l <in.jsonl

echo "-- however many share a pass"
# the command line stands in the header
bytes() {
    cagsr-attn -m "$m" -j 2 "$@" | cagsr-cat -p
}
bytes --batch 1 in.jsonl >want
wc -l <want
for rows in 7 100 4096; do
    bytes --batch $rows in.jsonl | cmp - want && echo "passes of $rows"
done
bytes in.jsonl | cmp - want && echo "the default"
bytes first.rec second.rec | cmp - want && echo "two files"
cagsr-cat first.rec second.rec | bytes | cmp - want && echo "a pipe"
bytes --heads each --reduce norm --batch 1 in.jsonl >want
bytes --heads each --reduce norm in.jsonl | cmp - want && echo "heads apart"

echo "-- records go under their own header"
head -n 40 in.jsonl >lines.jsonl
for rows in 1 4096; do
    cagsr-attn -m "$m" --batch $rows lines.jsonl second.rec | cagsr-cat -H |
        sed -n 's/"cl":"[^"]*"//g; /"header"/p' | grep -o '"header"\|"pn":"[^"]*"' | tr '\n' ' '
    echo
done

echo "-- those before a fault leave"
# A temperature so low that a token cannot come is found by the pass, and told before what is
# wrong behind it.
cold='150s/0\.7/1e-36/'
for bad in '150s/"ids":\[/"ids":[1000000,/' '150s/"id":"[^"]*",//' '150s/$/}/' "$cold" \
    "$cold;155s/\"id\":\"[^\"]*\",//"; do
    sed "$bad" in.jsonl >bad.jsonl
    for rows in 1 4096; do
        rc=0
        cagsr-attn -m "$m" --batch $rows bad.jsonl 2>err >out.rec || rc=$?
        echo "exit $rc, $(cagsr-cat -p out.rec 2>/dev/null | wc -l) before it: $(sed 's/of [0-9]*$/of .../' err)"
    done
done

echo "-- none is waited for"
line() { # ID CAND
    echo "{\"kind\":\"sample\",\"id\":\"$1\",\"cand\":$2,\"prompt_ids\":[1,2],\"ids\":[3,4],\"temperature\":1}"
}
# What came out, as N lines; a fault, not a test that hangs, where less comes.
answers() {
    for i in $(seq "$1"); do
        timeout 10 sh -c 'read -r line; echo "$line"' <&4 | sed 's/.*"id":\("[^"]*"\),"cand":\(.\).*"ref".*/\1 \2/'
    done
}
mkfifo in out
(cagsr-attn -m "$m" -j 1 <in | cagsr-cat -p >out) &
exec 3>in 4<out
{ line a 0; line a 1; echo '{"kind":"batch"}'; } >&3
answers 3
echo "the next group has begun"
{ line b 0; line c 0; } >&3
answers 1
echo "and the next record"
{ line c 1; line d 0; line d 1 | head -c 30; } >&3
answers 2
echo "two at once, and a third without its end"
{ line d 1 | tail -c +31; line e 0; line f 0; line f 1; } >&3
answers 3
echo "the end"
exec 3>&-
answers 2
wait
