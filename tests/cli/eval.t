# cagsr-eval: one stream, two, each sample, what is absent, faults.
. "$KIT"

# Two prompts behind a word of the template's, three answers and two.
cat >a.jsonl <<'END'
{"kind":"sample","id":"p1","cand":0,"n":3,"prompt":"eggName the red fruit.</s>","prompt_ids":[1,5,6,7,2],"prompt_ends":[3,8,12,22,26],"prompt_mask":{"$bin":"AAEBAQA="},"text":"The red apple.","ids":[9,8,7,2],"ends":[3,7,13,14],"logp":[-1,-1,-1,-0.5],"ref":[-1,-2,-1,-0.5],"temperature":1.0,"finish":"eos","reward":1.0,"reference":["The red apple.","A cherry"]}
{"kind":"sample","id":"p1","cand":1,"n":3,"prompt":"eggName the red fruit.</s>","prompt_ids":[1,5,6,7,2],"prompt_ends":[3,8,12,22,26],"prompt_mask":{"$bin":"AAEBAQA="},"text":"cherry cherry cherry cherry","ids":[9,9,9,9],"ends":[6,13,20,27],"logp":[-1,-1,-1,-1],"ref":[-1,-1,-1,-1],"temperature":1.0,"finish":"length","reward":null,"reference":["The red apple.","A cherry"]}
{"kind":"sample","id":"p1","cand":2,"n":3,"prompt":"eggName the red fruit.</s>","prompt_ids":[1,5,6,7,2],"prompt_ends":[3,8,12,22,26],"prompt_mask":{"$bin":"AAEBAQA="},"text":"An egg?","ids":[9,8,2],"ends":[2,7,7],"logp":[-1,-1,-0.25],"ref":[-1,-1,-1],"temperature":1.0,"finish":"eos","reward":0.5,"reference":["The red apple.","A cherry"]}
{"kind":"note","mine":1}
{"kind":"sample","id":"p2","cand":0,"n":2,"prompt":"eggWhat is two plus three?</s>","prompt_ids":[1,5,6,7,8,2],"prompt_ends":[3,8,10,14,26,30],"prompt_mask":{"$bin":"AAEBAQEA"},"text":"2+3=5.\nSo #### 5","ids":[9,8,7],"ends":[3,7,16],"logp":[-1,-1,-1],"temperature":0.0,"finish":"stop","reference":"It is 5\n#### 5.0"}
{"kind":"sample","id":"p2","cand":1,"n":2,"prompt":"eggWhat is two plus three?</s>","prompt_ids":[1,5,6,7,8,2],"prompt_ends":[3,8,10,14,26,30],"prompt_mask":{"$bin":"AAEBAQEA"},"text":"What is two plus three? Six","ids":[9,8,7],"ends":[3,7,27],"logp":[-1,-1,-1],"temperature":0.0,"finish":"length","reference":"It is 5\n#### 5.0"}
END
stream_of a.rec <a.jsonl
echo "-- one stream"
cagsr-eval a.rec
cagsr-eval -F tsv -M rougeL,reward a.rec
cagsr-eval -F json -M exact a.rec
echo "-- the same again; another seed; more draws"
cagsr-eval a.rec >1
cagsr-eval a.rec | cmp - 1 && echo same
cagsr-eval --seed 1 a.rec | cmp -s - 1 || echo other
cagsr-eval -B 200 -M f1 a.rec
echo "-- each"
cagsr-eval -e -M answer,gsm8k,copy,kl a.rec | cagsr-cat
cagsr-eval -e a.rec | cagsr-cat --check=schema && echo whole
cagsr-eval -e a.rec | cagsr-cat -H | sed -n '1s/.*"pn":"\(cagsr-eval\)".*/\1/p'
echo "-- two streams"
cagsr-cat a.rec | sed 's/"text":"cherry[^"]*"/"text":"A cherry"/' | stream_of b.rec
cagsr-eval -M answer,rep_2,judge,distinct_1 b.rec --against a.rec
cagsr-eval -F json -M f1 b.rec -a a.rec
echo "-- no text: tokens"
cagsr-cat a.rec | sed 's/"text":"[^"]*"/"text":""/; s/"ends":\[[^]]*\],//; s/"prompt":"[^"]*"/"prompt":""/; s/"prompt_ends":\[[^]]*\],//' | cagsr-eval -q -M repetition,length
echo "-- ends and a mask, but no prompt"
cagsr-cat a.rec | sed 's/"prompt":"[^"]*",//' | cagsr-eval -q -M length,tfidf_reference
echo "-- corrupted ones are in no mean"
cagsr-cat a.rec | sed '2s/"kind"/"corrupt":"looped","kind"/' | cagsr-eval -M repetition
echo "-- alone, a prompt has no control"
cagsr-cat -n 1 a.rec | cagsr-eval -M tfidf
echo "-- an id comes again"
cagsr-cat a.rec a.rec | cagsr-eval -M f1
echo "-- faults"
status cagsr-eval -r nix -M rouge a.rec
status cagsr-eval -r nix -q -M tfidf a.rec
status cagsr-eval -M rouge,nix a.rec
status cagsr-eval -M gsm8k,relevance a.rec
status cagsr-eval -e -a b.rec a.rec
status cagsr-eval -e -F tsv a.rec
status cagsr-eval -r '' a.rec
echo '{"kind":"prompt","id":"x"}' | status cagsr-eval
echo '{"kind":"prompt","id":"x"}' | cagsr-eval -e | cagsr-cat
cagsr-cat a.rec | sed 's/"id":"/"id":"x/' | status cagsr-eval -a a.rec
cagsr-cat a.rec | sed '1s/"reference":\[.*\]/"reference":{"x":1}/' | status cagsr-eval
cagsr-cat a.rec | sed '1s/"reward":1.0/"reward":{"$f64":"nan"}/' | status cagsr-eval
head -c 700 a.rec | status cagsr-eval
rc=0
head -c 700 a.rec | cagsr-eval -e >cut.rec 2>err || rc=$?
echo "exit $rc"
status cagsr-cat --check cut.rec
head -c 700 a.rec | cagsr-eval --allow-truncated -M length
status sh -c 'cagsr-eval a.rec >/dev/full'
status sh -c 'cagsr-eval -e a.rec >/dev/full'
status cagsr-eval -o /nonexistent/x a.rec
status cagsr-eval nofile
