# cagsr-cat: every form of output, and back.
. "$KIT"

cat >a.jsonl <<'END'
{"kind":"sample","id":"p1","cand":0,"n":2,"ids":[1,200,70000],"logp":[-1.5,-0.1,-0.0],"temperature":0.7,"text":"one\ttwo\nthree","reward":0.25,"rewards":{"coverage":0.5,"focus":null}}
{"kind":"sample","id":"p1","cand":1,"n":2,"ids":[],"logp":[],"temperature":1,"text":"","reward":null,"mine":{"deep":[{"x":[1,2.5]}]}}
{"kind":"metric","step":1,"loss":1e-30}
END
cat a.jsonl >want
echo "-- JSON in, the same JSON out"
cagsr-cat a.jsonl | cmp - want && echo same
echo "-- through a stream"
stream_of a.rec <a.jsonl
cagsr-cat a.rec | cmp - want && echo same
cat a.rec a.rec | cagsr-cat | wc -l
cagsr-cat a.rec a.rec - <a.rec | wc -l
echo "-- a stream of a stream has the same records"
cagsr-cat -s a.rec | cagsr-cat -s | cagsr-cat | cmp - want && echo same
echo "-- header and end, and the way back"
cagsr-cat -H a.rec | sed '1s/"cl":"[^"]*"/"cl":"..."/g; 1s/"vn":"[^"]*"/"vn":"..."/g' |
    sed -n '1p;$p'
cagsr-cat -H a.rec | cagsr-cat -s | cagsr-cat | cmp - want && echo same
echo "-- fields"
cagsr-cat -F id,rewards.coverage,mine.deep.0.x.1,no.such a.rec
cagsr-cat -F id,logp -s a.rec | cagsr-cat --head 1
echo "-- kind, head"
cagsr-cat -k metric a.rec
cagsr-cat -n 1 -F cand a.rec
cagsr-cat -n 0 a.rec
echo "-- tables"
cagsr-cat -t a.rec
cagsr-cat -t -F cand,reward,rewards,ids a.rec
echo "-- plain"
cagsr-cat -p -F logp,x a.rec
echo "-- to a file, which appears whole"
cagsr-cat -o out.jsonl a.rec
cmp out.jsonl want && ls
echo "-- check"
status cagsr-cat --check a.rec
status cagsr-cat --check -v a.rec
status cagsr-cat --check=schema a.rec
echo "-- where"
w() { printf '%s:' "$*"; for t; do set -- "$@" -w "$t"; shift; done; cagsr-cat -t -F id,cand "$@" w.jsonl | tail -n +2 | tr '\t\n' '. '; echo; }
cat >w.jsonl <<'EOF'
{"kind":"sample","id":"p1","cand":0,"reward":0.5,"finish":"eos","ok":true,"text":"a = b"}
{"kind":"sample","id":"p10","cand":1,"reward":-1,"finish":"length","ok":false,"text":"\"quoted\""}
{"kind":"sample","id":"p2","cand":2,"reward":null,"rewards":{"x":2},"text":"5"}
{"kind":"metric","id":"m","cand":3,"ids":[7,8]}
EOF
for t in reward '!reward' ok 'reward>0' 'reward<=0.5' 'reward != 0.5' 'reward = null' 'reward!=null' \
    'id==p1' 'id=~p1' 'id>p1' 'id<p10' 'text==5' 'text=="5"' 'text==""quoted""' 'text~=' 'text~quo' \
    'ok=true' 'ok=false' 'rewards.x>=2' 'ids.1==8' 'cand == 1' 'kind!=sample' 'none' 'none!=x' 'none<1'; do
    w "$t"
done
w 'cand>0' 'cand<3' 'reward'
for t in '' '!' '==1' 'a==' 'a!b=1' 'a ! b'; do
    status cagsr-cat -w "$t" w.jsonl
done
echo "-- tail, count"
cagsr-cat --tail 2 -F cand w.jsonl
cagsr-cat --tail 0 w.jsonl
cagsr-cat --tail 9 -k sample -F cand w.jsonl
cagsr-cat --tail 1 -w 'reward' -t -F id w.jsonl
cagsr-cat --tail 2 -s w.jsonl | cagsr-cat -F cand
cagsr-cat --count w.jsonl
cagsr-cat --count -w 'cand>0' -n 1 w.jsonl
cagsr-cat --count --tail 3 -k sample w.jsonl
head -c 300 a.rec | status cagsr-cat --count
head -c 300 a.rec | status cagsr-cat --tail 1
echo "-- schema"
cat w.jsonl a.jsonl | cagsr-cat --schema
printf '{"kind":"sample","id":"p","a\\tb":1,"t":{"$nd":[2,2],"type":"<f4","data":[[1,2],[3,4]]}}\n' | cagsr-cat --schema
for bad in '--count --schema' '--count -t' '--schema -s' '--tail 1 -n 1' '--check --count'; do
    status cagsr-cat $bad w.jsonl
done
