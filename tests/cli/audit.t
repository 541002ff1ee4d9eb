# cagsr-audit: corrupted answers, the three tables, weights of heads, faults.
. "$KIT"
need awk

# Six prompts of three content words, four answers each; tokens are words.  Answer c reads
# its prompt c+1 tenths: its reward, its measure, and heads 0.0 and 1.1 say so; heads 0.1 and
# 1.0 say the same of every answer, and all do at the end token, which does not count.
awk 'BEGIN {
    n = split("red apple tree|blue bird song|warm winter coat|small paper boat|old stone bridge|fresh green salad", q, "|")
    split("One can see here|It was said that|They all know this|We never had any", a, "|")
    for (p = 1; p <= n; p++) for (c = 0; c < 4; c++) {
        split(q[p], w, " "); split(a[1 + (p + c) % 4], v, " ")
        printf "{\"kind\":\"sample\",\"id\":\"q%d\",\"cand\":%d,\"n\":4,\"prompt\":\"<s>%s?</s>\",", p, c, q[p]
        k = length(w[1]); printf "\"prompt_ids\":[1,%d,%d,%d,3,2],\"prompt_ends\":[3,%d,%d,%d,%d,%d],", 10 * p, 10 * p + 1, 10 * p + 2, 3 + k, 4 + k + length(w[2]), 3 + length(q[p]), 4 + length(q[p]), 8 + length(q[p])
        printf "\"prompt_mask\":{\"$bin\":\"AAEBAQEA\"},"
        printf "\"text\":\"%s %s %s %s\",\"ids\":[%d,6,7,8,2],\"ends\":[%d,%d,%d,%d,%d],", v[1], v[2], v[3], v[4], 50 + c, length(v[1]), length(v[1] v[2]) + 1, length(v[1] v[2] v[3]) + 2, length(v[1] v[2] v[3] v[4]) + 3, length(v[1] v[2] v[3] v[4]) + 3
        printf "\"finish\":\"eos\",\"temperature\":1.0,\"ref\":[-1,-1,-1,-1,-%d],", c % 2 + 1
        printf "\"metrics\":{\"tfidf\":%g,\"rougeL\":%g,\"length\":5},", c / 4, c == 3 ? 0 : c / 3
        printf "\"rewards\":{\"coverage\":%g,\"even\":1,\"late\":%s},\"reward\":%g,", c / 10, c ? c : "null", (p == 4 ? -c : c) / 10
        printf "\"attn\":{\"kind\":\"self\",\"layers\":\"3:5\",\"heads\":\"each\",\"reduce\":\"mean\",\"model\":\"00\",\"rows\":{\"$nd\":[2,2,5,6],\"type\":\"<f4\",\"data\":["
        for (l = 0; l < 2; l++) { printf "%s[", l ? "," : ""
            for (h = 0; h < 2; h++) { printf "%s[", h ? "," : ""
                for (t = 0; t < 5; t++) { x = (l == h) && t == 2 ? (c + 1) / 15 : t == 4 ? 0.12 : 0.01 * (l + 1)
                    printf "%s[0.5,%g,%g,%g,0,0.1]", t ? "," : "", x, x, x }
                printf "]" }
            printf "]" }
        print "]}}}"
    }
}' | stream_of a.rec
cagsr-cat --check=schema a.rec

echo "-- corrupted"
cagsr-audit --make all --seed 5 a.rec >bad.rec
cagsr-cat --check=schema bad.rec
cagsr-cat -t -F id,cand,corrupt,of,finish,text,ids bad.rec | sed -n '1,30p'
cagsr-cat -k sample bad.rec | sed -n 5p
echo "-- own ones are as they were"
cagsr-audit --make half a.rec | cagsr-cat | grep -v '"corrupt"' >own
cagsr-cat a.rec | cmp - own && echo same
echo "-- tokens whose text is not known, or that no prompt's text belongs to"
cagsr-cat a.rec | sed 's/"ends":\[[^]]*\],//; s/"prompt":"[^"]*",//' | cagsr-audit --make all >plain.rec
cagsr-cat --check=schema plain.rec && cagsr-cat plain.rec | grep '"corrupt"' | grep -c '"text"' || :
echo "-- another seed, another order; the same seed, the same bytes"
cagsr-audit --make shuffled,mismatched --seed 5 a.rec >1
cagsr-audit --make shuffled,mismatched --seed 5 a.rec | cmp - 1 && echo same
cagsr-audit --make shuffled,mismatched --seed 6 a.rec | cmp -s - 1 || echo other
echo "-- tables"
cagsr-audit a.rec
echo "-- against corrupted ones that score half"
cagsr-cat a.rec >mixed
cagsr-cat a.rec | sed 's/"cand":\(.\)/"corrupt":"mismatched","cand":1\1/; s/"reward":\(-*\)0\./"reward":\10.0/; s/"rewards":{"coverage":0\./"rewards":{"coverage":0.0/' |
    sed 's/\[0.5,0\.[0-9]*,0\.[0-9]*,0\.[0-9]*,0.0,0.1\]/[0.5,0.05,0.05,0.05,0.0,0.1]/g' >>mixed
stream_of mixed.rec <mixed
cagsr-audit -q mixed.rec | sed -n '/AUROC/,/^$/p'
cagsr-audit -q -b head -w tfidf mixed.rec | sed -n '2,16p'
cagsr-audit -q -F tsv -w tfidf mixed.rec | sed -n '1,3p'
cagsr-audit -q -F json -w tfidf mixed.rec | tail -n 1
echo "-- given another number: what follows it says nothing more, noise nothing less"
cagsr-cat a.rec | sed 's/"cand":\([0-3]\)\(.*\)"metrics":{/"cand":\1\2"metrics":{"noise":0\1,/; s/"noise":00/"noise":2/; s/"noise":01/"noise":5/; s/"noise":02/"noise":1/; s/"noise":03/"noise":4/' >noise
cagsr-audit -q -g noise -w tfidf,rougeL noise | sed -n '/given/,/^$/p'
cagsr-audit -q -g length,coverage -w tfidf -F tsv noise | grep partial || echo none
echo "-- weights"
cagsr-audit -q --fit heads.tsv mixed.rec | tail -n 2
cat heads.tsv
echo "-- faults"
status cagsr-audit --make all,twice a.rec
status cagsr-audit --make half -F tsv a.rec
status sh -c 'cagsr-audit --make half bad.rec >/dev/null'
status cagsr-audit -w nix a.rec
status cagsr-audit -g nix a.rec
status cagsr-audit --fit x a.rec
cagsr-cat a.rec | sed 's/"rewards":[^}]*},"reward":[^,]*,//; s/"attn".*/"x":1}/' | status cagsr-audit
cagsr-cat mixed.rec | sed 's/"attn".*/"x":1}/' | status cagsr-audit --fit x
cagsr-cat a.rec | sed '2s/"rewards":{/"rewards":{"bad":"x",/' | status cagsr-audit
cagsr-cat a.rec | sed '2s/"metrics":{[^}]*}/"metrics":[1]/' | status cagsr-audit
cagsr-cat a.rec | sed '2s/"metrics"/"corrupt":1,"metrics"/' | status cagsr-audit
cagsr-cat a.rec | sed '2s/"$nd":\[2,2,5,6\]/"$nd":[1,2,5,6]/' | status cagsr-audit 
echo '{"kind":"prompt","id":"x"}' | status cagsr-audit
head -c 700 a.rec | status cagsr-audit
rc=0
head -c 700 a.rec | cagsr-audit --make half >cut.rec 2>err || rc=$?
echo "exit $rc"
status cagsr-cat --check cut.rec
status sh -c 'cagsr-audit -q a.rec >/dev/full'
status cagsr-audit -q --fit /nonexistent/x mixed.rec 
[ ! -e x ] && echo "no file is left"
