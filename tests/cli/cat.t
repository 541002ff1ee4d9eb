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
