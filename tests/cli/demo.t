# make demo's promise: CAGSR teaches the shipped model to read the question, a random reward
# does not; and a prompt with its candidates is shown on the way.
. "$KIT"

DEMO_OUT=$PWD/demo sh "$SRC/examples/demo.sh" tiny-qa >said
head -n 1 demo/summary.tsv
awk -F '\t' '
    NR > 1 { right[$1] = $2; off[$1] = $3; runs = runs " " $1 }
    END {
        print "rows:" runs
        print "the start is .2 to .3 right:", right["start"] >= .2 && right["start"] <= .3
        print "cagsr reaches .85:", right["cagsr"] >= .85
        print "off-topic answers are under .2:", off["cagsr"] < .2
        print "a random reward gives at most .05:", right["random"] <= right["start"] + .05
    }' demo/summary.tsv
grep -cE '^ +[1-8]  #[0-7] +[-+][0-9.]+' said
