# cagsr-diff: texts side by side, numbers of a pair and of all, the warning, faults.
. "$KIT"

# The shell's echo may read escapes.
line() { printf '%s\n' "$*"; }

# Two candidates of a prompt, attention of two layers by hand: the support is tokens 1 and 2,
# of two steps only the second is read.  Layer 4 moves from (3/4, 1/4) to (1/4, 3/4), layer 5
# stays, their mean moves from (1/2, 1/2) to (1/4, 3/4).
attn() { # ROW of step 1 in layer 4
    echo '"support":{"$bin":"AAEB"},"attn":{"kind":"self","layers":"4:6","heads":"each","reduce":"mean","model":"00","rows":{"$nd":[2,1,2,3],"type":"<f4","data":[[[[0.5,0.2,0.1],['"$1"']]],[[[0.5,0.1,0.1],[0.4,0.1,0.3]]]]}}'
}
P='"prompt":"Name a 果物 now","prompt_ids":[5,6,7],"prompt_ends":[4,13,17],"prompt_mask":{"$bin":"AAEB"}'
{
    line '{"kind":"sample","id":"p1","cand":0,'$P',"text":"I like the red apple, and so will you all day.","ids":[1,2],"logp":[-1,-2],"ref":[-1,-1],"temperature":1.0,"finish":"length","reward":0.25,"rewards":{"coverage":0.5,"up\u001b[2Jdown":1.0,"null":null},'$(attn 0.5,0.3,0.1)'}'
    line '{"kind":"sample","id":"p1","cand":1,'$P',"text":"cherry","ids":[1,2],"reward":0.5}'
    line '{"kind":"sample","id":"p2","cand":0,"prompt":"Say yes","text":"yes","reward":1.0}'
    line '{"kind":"sample","id":"only before","cand":0,"prompt":"Say no","text":"no","reward":1.0}'
} | stream_of a.rec
{
    line '{"kind":"sample","id":"p2","cand":0,"prompt":"Say yes","text":"yes","reward":0.75,"metrics":{"relevance":0.5}}'
    line '{"kind":"sample","id":"p1","cand":1,'$P',"text":"cherry","ids":[1,2],"reward":0.5}'
    line '{"kind":"sample","id":"p1","cand":0,'$P',"text":"I like the green 林檎林檎林檎林檎林檎林檎林檎林檎林檎林檎, and\u001b[31m so\nwill you.","ids":[1,2],"logp":[-1,-1],"ref":[-1,-1],"temperature":1.0,"finish":"length","reward":1.25,"rewards":{"coverage":0.75,"up\u001b[2Jdown":1.0},'$(attn 0.5,0.1,0.3)'}'
} | stream_of b.rec
echo "-- a table"
cagsr-diff --width 60 a.rec b.rec | sed 's/  *$//'
echo "-- lines are as wide as they may be, whatever is in them"
for w in 50 51 64 100; do
    cagsr-diff -n 1 --width $w a.rec b.rec | sed -n '/^before/,/^measure/p' | grep '│' |
        sed 's/│.*//' | while IFS= read -r l; do
            printf '%s' "$l" | sed 's/[^ -~][^ -~][^ -~]/##/g' | awk '{ print length }'
        done | sort -u
done
echo "-- colours"
cagsr-diff -n 1 --width 60 --color always a.rec b.rec | sed -n 4,6p | sed 's/\x1b/E/g'
echo "-- tsv, json"
cagsr-diff -n 1 -F tsv a.rec b.rec
cagsr-diff -n 1 -i p2 -F json a.rec b.rec | head -n 2
echo "-- which are shown"
shown() { cagsr-diff -F tsv "$@" a.rec b.rec | awk -F'\t' '$3 == "text" { printf "%s/%s ", $1, $2 } END { print "" }'; }
shown
shown -n 1
shown -n 1 -a
shown -a
shown -c 1
shown -s input
shown -s text
shown -s attention -n 1
shown -n 0
echo "-- the same twice; the other way round"
cagsr-diff -n 0 -F tsv a.rec a.rec | awk -F'\t' 'NR > 1 && ($6 != 0 || $13 != "")'
cagsr-diff -n 0 -F tsv a.rec b.rec | cut -f 3,6 | grep -v moved | sort >1
cagsr-diff -n 0 -F tsv b.rec a.rec | cut -f 3,6 | grep -v moved | sort >2
join -t '	' 1 2 | awk -F'\t' '$2 != "diff" && $2 + $3 != 0'
echo "-- numbers are those of cagsr-eval"
cagsr-diff -n 0 -F tsv a.rec b.rec | awk -F'\t' '!/\// && !/moved|attention/ { print $3 "\t" $5 "\t" $4 "\t" $6 "\t" $7 "\t" $8 }' | sort >1
cagsr-eval -q -F tsv b.rec -a a.rec | cut -f 1-6 | sort >2
join -t '	' 1 2 | awk -F'\t' '{ n++; for (i = 2; i < 7; i++) if ($i != $(i + 5) && $i != "diff" && NF == 11 && $1 != "metric") print }
    END { print (n > 5 ? "the same" : n) }'
echo "-- by order, where no candidate is in both"
cagsr-cat b.rec | sed 's/"cand":1/"cand":8/; s/"cand":0/"cand":7/' | cagsr-diff -n 1 --width 60 a.rec - | head -n 1
cagsr-cat b.rec | sed 's/"cand":[01],//' | cagsr-diff -n 1 --width 60 a.rec - | head -n 1
echo "-- the reward rises, and answers get worse"
for i in 1 2 3 4 5 6 7 8 9; do
    line '{"kind":"sample","id":"'$i'","cand":0,"prompt":"Name some fruit","text":"An apple and also pear '$i'","ids":[1,2],"finish":"eos","reward":0.'$i'}'
done >before.jsonl
sed 's/An apple and also pear/pear pear pear pear pear/; s/"reward":/"reward":1/' before.jsonl >after.jsonl
cagsr-diff -n 0 --width 70 before.jsonl after.jsonl 2>err | sed -n '/prompts in both/,$p'
cagsr-diff -n 0 -F tsv before.jsonl after.jsonl 2>err | cut -f 3,13 | grep -v '	$'
cat err
cagsr-diff -q -n 0 -F tsv before.jsonl after.jsonl 2>&1 | grep -c WARNING || :
cagsr-diff -n 0 --width 70 after.jsonl before.jsonl | sed -n '/prompts in both/,$p'
sed 's/"reward":[0-9.]*/"x":1/' before.jsonl | cagsr-diff -n 0 - after.jsonl | tail -n 1
head -n 1 before.jsonl | cagsr-diff -n 0 - after.jsonl | tail -n 1
echo "-- faults"
status cagsr-diff a.rec
status cagsr-diff - -
status cagsr-diff -a -c 1 a.rec b.rec
status cagsr-diff -i nix a.rec b.rec
status cagsr-diff -c 9 a.rec b.rec
status cagsr-diff before.jsonl b.rec
status cagsr-diff a.rec nowhere
cagsr-cat b.rec | sed 's/\[0.5,0.1,0.3\]/[0.5,"nan",0.3]/' | status cagsr-diff a.rec -
head -c 400 b.rec | status cagsr-diff a.rec -
status sh -c 'cagsr-diff a.rec b.rec >/dev/full'
status cagsr-diff -o out a.rec b.rec
[ -s out ] && echo written
