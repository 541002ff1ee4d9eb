# The filters of examples/filters do what they say, and a failure is seen behind them.
. "$KIT"
need jq awk
py=$(python_with msgpack) || skip "no python with msgpack"
F=$SRC/examples/filters

cat >a.jsonl <<'END'
{"kind":"sample","id":"p1","cand":0,"prompt":"Why is the sky blue?","text":"The sky is blue, blue, blue.","ids":[5,6,7],"logp":[-0.5,-1.25,-0.125],"attn":{"kind":"self","rows":{"$nd":[3,2],"type":"<f4","data":[[0.1,0.2],[0.3,0.4],[0.5,0.1]]}},"mine":{"$ext":[7,"AAE="]}}
{"kind":"sample","id":"p1","cand":1,"prompt":"Why is the sky blue?","text":"No \"idea\".","ids":[5],"logp":[-2.0],"mine":null}
{"kind":"metric","step":3}
END
stream_of a.rec <a.jsonl
cagsr-cat -p a.rec >plain # Python makes float64 of float32

python() { $py "$F/brevity.py"; }
withjq() { cagsr-cat -H | jq -c -f "$F/keywords.jq" | cagsr-cat -s; }
withawk() { cagsr-cat -H | awk -f "$F/variety.awk" | cagsr-cat -s; }
for filter in python withjq withawk; do
    echo "-- $filter"
    $filter <a.rec >b.rec
    cagsr-cat -t -F kind,cand,reward b.rec
    # all else is as it was
    cagsr-cat -p b.rec | sed 's/,"reward":[^,}]*//' | cmp - plain && echo "nothing lost"
    head -c $(($(wc -c <a.rec) - 9)) a.rec | $filter 2>/dev/null >c.rec || :
    rc=0
    cagsr-cat --check c.rec 2>/dev/null || rc=$?
    echo "producer died: exit $rc"
done
