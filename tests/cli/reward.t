# cagsr-reward: components, controls, faults, choosing, plug-ins, co-process, labels.
. "$KIT"

# Six digits are enough; the last ones are the compiler's.
short() {
    sed -E 's/([0-9]\.[0-9]{6})[0-9]+/\1/g'
}

# Two prompts of six tokens, three answers each; tokens are words.
awk 'BEGIN {
    split("<s> capital of France is ?", w, " ")
    for (p = 0; p < 2; p++) for (c = 0; c < 3; c++) {
        printf "{\"kind\":\"sample\",\"id\":\"q%d\",\"cand\":%d,\"n\":3,\"mine\":{\"x\":[1]},", p, c
        printf "\"prompt\":\"<s>What is the capital of France?\",\"prompt_ids\":[1,5,6,7,8,9,10,%d],", 11 + p
        printf "\"prompt_ends\":[3,7,10,14,22,25,32,33],\"prompt_mask\":{\"$bin\":\"AAEBAQEBAQE=\"},"
        printf "\"text\":\"%s\",\"ids\":[20,%d,22,2],\"ends\":[5,6,9,%d],", c == 1 ? "Paris. France" : "Paris?x y", 20 + c, c == 1 ? 13 : 9
        printf "\"logp\":[-1,-1,-1,-1],\"ref\":[-1,-%d,-1,-0.5],\"finish\":\"%s\",", c + 1, c == 2 ? "length" : "eos"
        printf "\"attn\":{\"kind\":\"self\",\"layers\":\"15:30\",\"heads\":\"mean\",\"reduce\":\"mean\",\"model\":\"00\",\"rows\":{\"$nd\":[4,8],\"type\":\"<f4\",\"data\":["
        for (t = 0; t < 4; t++) {
            printf "%s[0.5", t ? "," : ""
            for (j = 1; j < 8; j++) printf ",%g", (j == 4 + 2 * (c == 1) && t == 1) ? .2 + p * .05 : .02 + .001 * t * c
            printf "]"
        }
        print "]}}}"
    }
}' | stream_of s.rec
cagsr-cat --check=schema s.rec

echo "-- default"
cagsr-reward -q s.rec | cagsr-cat -t -F id,cand,reward,rewards,mine | short
echo "-- the header says what the scales were"
cagsr-reward s.rec | cagsr-cat -H | sed -n '1s/.*\(# built-in[^"]*\).*/\1/p'
echo "-- controls"
cagsr-reward -q -w random=1 --seed 3 s.rec >a
cagsr-reward -q -w random=1 --seed 3 s.rec | cmp - a && echo same
cagsr-reward -q -w random=1 --seed 4 s.rec | cmp -s - a || echo another seed
cagsr-reward -q -w length=1,constant=2 s.rec | cagsr-cat -t -F reward,rewards.length | sed -n 2p
cagsr-reward -q -w lexical=1 s.rec | cagsr-cat -t -F reward | tr '\n' ' '
echo
cagsr-reward -q -w logp=1 s.rec | cagsr-cat -t -F reward | sed -n 2p
echo "-- explained"
cagsr-reward -q --explain s.rec 2>&1 >/dev/null | sed -n 1,14p
cagsr-reward -q --explain=record s.rec | cagsr-cat -n 1 -p -F explain.words.0.word,explain.words.0.step,explain.copied
echo "-- rank, best, pairs"
cagsr-reward -q --rank s.rec | cagsr-cat -t -F id,cand,rank
cagsr-reward -q --best 1 s.rec | cagsr-cat -t -F id,cand
cagsr-reward -q --pairs s.rec | cagsr-cat -p -F kind,id,chosen_cand,rejected_cand,chosen
echo "-- calibrate, then its scales"
cagsr-reward -q --calibrate scales.json s.rec | cagsr-cat | wc -l
grep -c '"france": 2' scales.json
cagsr-reward -q --scales scales.json -w coverage=1/s s.rec | cagsr-cat -t -F reward | short | sed -n 2p
status cagsr-reward -o junk -q --f7 --scales scales.json s.rec
echo "-- what is missing is said"
cagsr-cat s.rec | sed 's/"attn":/"was":/' >no-attn
status cagsr-reward -o junk -q no-attn
cagsr-cat s.rec | sed 's/"ref":/"was":/' >no-ref
status cagsr-reward -o junk -q no-ref
cagsr-cat s.rec | sed 's/"ref":\[[^]]*\]/"ref":null/' | cagsr-reward -q | cagsr-cat -n 1 -F reward
status cagsr-reward -o junk -q -w nosuch=1 s.rec
echo "-- attention that is no number"
cagsr-cat s.rec | sed '2s/\[0.5,/["nan",/' >nan
rc=0; cagsr-reward nan >out 2>err || rc=$?; cat err; echo "exit $rc"
cagsr-cat -q --allow-truncated -t -F kind,cand out
cagsr-reward -q --allow-errors nan | cagsr-cat -t -F kind | sort | uniq -c
echo "-- multi-turn"
cagsr-cat s.rec | sed 's/"mine":/"turns":[[0,1],[2,4]],"mine":/' | cagsr-reward -q -w length=1 --lambda uniform |
    cagsr-cat -n 1 -F turn_rewards,turn_returns,reward
cagsr-cat s.rec | sed 's/"mine":/"turns":[[0,1],[0,4]],"mine":/' | status cagsr-reward -o junk -q
echo "-- labels"
printf 'id\tcand\tscore\nq0\t0\t1\nq0\t2\t5\nzz\t1\t3\n' >l.tsv
cagsr-reward -w length=1 --labels l.tsv s.rec 2>&1 >out | cat
cagsr-cat -t -F cand,reward,label_z out | head -4
cagsr-cat s.rec | sed 's/"id":"q0"/"id":"q0\\u0000x"/' | cagsr-reward -q -w length=1 --labels l.tsv |
    cagsr-cat -t -F label_z | sort -u
echo "-- a plug-in"
${CC:-cc} -shared -fPIC -I"$SRC/libcore" -o q.so "$SRC/examples/plugins/question.c"
cagsr-reward -q --plugin q.so -w no_question=2 s.rec | cagsr-cat -t -F reward | tr '\n' ' '
echo
status cagsr-reward -o junk -q --plugin q.so,ab s.rec
status cagsr-reward -q -o junk --plugin nothere.so s.rec | sed 's/: cannot.*//'
echo "-- a co-process"
cagsr-reward -q s.rec | cagsr-cat >want
cagsr-reward -q -x cat s.rec | cagsr-cat | cmp - want && echo same
cagsr-reward -q -x 'cagsr-cat -s' s.rec | cagsr-cat | cmp - want && echo same
cagsr-reward -q -x 'cat >all; cat all' s.rec | cagsr-cat | cmp - want && echo same
cagsr-reward -q --exec-format json -x "sed 's/\"mine\"/\"rewards\":{\"x\":3},\"mine\"/'" -w length=1 s.rec |
    cagsr-cat -n 1 -F rewards.x,reward
status cagsr-reward -o junk -q -x 'exit 3' s.rec
status cagsr-reward -o junk -q -x 'kill -9 $$' s.rec
status cagsr-reward -o junk -q --exec-timeout .3 -x 'sleep 60' s.rec
head -c 3000 s.rec | status cagsr-reward -o junk -q -x cat
echo "-- a full disk, a cut"
rc=0; cagsr-reward -q s.rec >/dev/full 2>err || rc=$?; echo "exit $rc"
rc=0; head -c 2000 s.rec | cagsr-reward -q >/dev/null 2>err || rc=$?; echo "exit $rc"
