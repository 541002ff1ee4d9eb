# What goes wrong in a pipe is seen at its end.
. "$KIT"

for i in 1 2 3; do
    echo "{\"kind\":\"sample\",\"id\":\"p\",\"cand\":$i,\"ids\":[1,2,300],\"text\":\"some text\"}"
done >a.jsonl
stream_of a.rec <a.jsonl
size=$(wc -c <a.rec)

echo "-- every prefix is cut, and the cut is passed on"
n=0 bad=
while [ $n -lt "$size" ]; do
    rc=0
    head -c $n a.rec | cagsr-cat --check 2>err || rc=$?
    [ $rc -eq 4 ] && [ "$(wc -l <err)" -eq 1 ] || bad="$bad $n:$rc"
    n=$((n + 1))
done
echo "not seen:${bad:- none}"
for n in 0 1 100 $((size - 1)); do
    head -c "$n" a.rec | cagsr-cat -s 2>/dev/null >passed || :
    rc=0
    cagsr-cat --check <passed 2>err || rc=$?
    echo "cut, then passed on: exit $rc"
done
head -c $((size - 20)) a.rec | cagsr-cat -s 2>/dev/null | cagsr-cat -s 2>/dev/null |
    status cagsr-cat -F cand

echo "-- allowed"
head -c $((size - 1)) a.rec | status cagsr-cat -q --allow-truncated -F cand

echo "-- a neighbour killed in mid-stream"
mkfifo pipe
(
    head -c $((size - 60)) a.rec
    exec sleep 60
) >pipe &
victim=$!
cagsr-cat -s <pipe >first 2>first.err &
filter=$!
n=0
until [ "$(wc -c <first)" -gt 200 ] || [ $n -ge 100 ]; do
    sleep 0.05
    n=$((n + 1))
done
kill -KILL $victim
rc=0
wait $filter || rc=$?
wait $victim 2>/dev/null || :
echo "the filter: exit $rc"
status cagsr-cat --check first
cagsr-cat -s first 2>/dev/null >second || :
rc=0
cagsr-cat -s second >third 2>err || rc=$?
echo "two filters on: exit $rc"

echo "-- a filter killed in mid-stream"
mkfifo slow
(
    head -c $((size - 60)) a.rec
    exec sleep 60
) >slow &
feeder=$!
cagsr-cat -s <slow >killed &
filter=$!
n=0
until [ "$(wc -c <killed)" -gt 200 ] || [ $n -ge 100 ]; do
    sleep 0.05
    n=$((n + 1))
done
kill -KILL $filter
wait $filter 2>/dev/null || :
kill -KILL $feeder
wait $feeder 2>/dev/null || :
rc=0
cagsr-cat --check <killed 2>err || rc=$?
echo "exit $rc"

echo "-- a full disk"
for form in "" -s -t; do
    rc=0
    cagsr-cat $form a.rec >/dev/full 2>err || rc=$?
    echo "exit $rc, $(wc -l <err) line: $(cat err)"
done

echo "-- a reader that has enough"
yes '{"a":1}' | cagsr-cat -s | cagsr-cat -n 2

echo "-- a stream that says it failed"
sed 's/$/ /' <<'END' | status cagsr-cat -F cand
{"kind":"header","cagsr":1,"pg":[]}
{"cand":1}
{"kind":"end","records":1,"status":"error","error":"some-tool: it broke"}
END

echo "-- wrong sums, counts, versions, order"
sed 's/some/same/' a.rec >b.rec
status cagsr-cat --check b.rec
cagsr-cat -H a.rec | sed '$s/3/4/' | cagsr-cat -s | cagsr-cat --check && echo "text is edited freely"
printf '\203\244kind\243end\247records\002\246status\242ok' >b.rec
status cagsr-cat --check b.rec
printf '\202\244kind\246header\245cagsr\002' >b.rec
status cagsr-cat --check b.rec
cat a.rec >b.rec
printf '\202\244kind\243end\246status\242ok' >>b.rec
status cagsr-cat --check b.rec 2>&1 | sed 's/byte [0-9]*/byte .../'

echo "-- lengths that lie"
for bytes in '\337\377\377\377\377' '\201\241a\335\377\377\377\377' '\201\333\377\377\377\377' \
    '\201\241a\311\377\377\377\377\001' '\301' '\223\001\002\003' '\201\001\002'; do
    printf "$bytes" >b.rec
    status cagsr-cat --check b.rec
done
awk 'BEGIN { printf "{\"a\":"; for (i = 0; i < 100; i++) printf "["; print "" }' >deep
status cagsr-cat deep
status cagsr-cat --max-record 1024 --check a.rec
{ printf '{"a":"'; head -c 2000 /dev/zero | tr '\0' x; echo '"}'; } >wide
status cagsr-cat --max-record 1024 --check wide

echo "-- wrong command lines and names"
status cagsr-cat no-such-file
status cagsr-cat -s -t a.rec
status cagsr-cat --fields a,,b a.rec
status cagsr-cat . 
