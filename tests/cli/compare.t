# examples/compare: every system runs, on a world in small; a rerun of a cell gives its bytes.
. "$KIT"
need jq
tiny=$SRC/examples/tiny-qa
compare=$SRC/examples/compare
export BUILD="${BUILD:-$SRC/build}"

cat >small.sh <<END
. "$compare/settings/tiny-qa.sh"
steps=2 eval_steps='1 2' batch=4 n=4 eval_n=2 calibrate=24 pairs=40 rm_epochs=1
END
awk -f "$tiny/world.awk" -v what=prompts -v n=40 -v seed=5 >prompts.jsonl
head -n 12 "$tiny/questions.jsonl" >eval.jsonl
run() { # OUT, and more options
    where=$1
    shift
    "$compare/run.sh" -c "$PWD/small.sh" -e eval.jsonl -s 1 "$@" "$tiny/model" prompts.jsonl "$where"
}

echo "-- all systems"
run out 2>log || cat log
grep -v 'to be run' log
echo "-- numbers of each"
awk -F '\t' 'NR > 1 { n[$2]++ } END { for (s in n) print s, n[s] }' out/results.tsv | sort
head -n 1 out/table.tsv
awk -F '\t' 'NR > 1 && $5 == "t1" && $6 == "right" && ($7 < 0 || $7 > 1) { print "no share:", $0 }' out/results.tsv
echo "-- of the start, the policy has not moved; later it has"
awk -F '\t' '$6 == "kl" && $5 == "t1" && $2 == "start" { print $7 + 0 }
    $6 == "kl" && $5 == "t1" && $2 == "grpo" && $3 == 2 { print ($7 != 0 ? "moved" : "not moved") }' out/results.tsv
echo "-- what is done is not done again"
cp out/results.tsv before
run out 2>log
grep -c done log
cmp before out/results.tsv && echo same
echo "-- one cell anew"
rm -rf out/1/ppo out/1/synthetic
run out 2>/dev/null
cmp before out/results.tsv && echo same
echo "-- a run that was stopped in a cell goes on"
mkdir part
cp -r out/1/start part && mkdir part/1 && mv part/start part/1
cat >fails.sh <<END
. "$PWD/small.sh"
eval "\$(echo 'measure() {'; sed -n '/^evaluate()/,/^}/p' "$compare/settings/tiny-qa.sh" | sed '1,2d')"
evaluate() { case \$1 in */2.*) return 1 ;; *) measure "\$1" ;; esac; }
END
"$compare/run.sh" -c "$PWD/fails.sh" -e eval.jsonl -s 1 -S grpo "$tiny/model" prompts.jsonl part 2>&1 | grep -v done
ls part/1/grpo/run | grep step | tail -n 1
run part -S grpo 2>/dev/null
awk -F '\t' '$2 == "grpo"' before >want
awk -F '\t' '$2 == "grpo"' part/results.tsv | cmp - want && echo same
echo "-- command lines"
status "$compare/run.sh" a b
status "$compare/run.sh" -S nothing a prompts.jsonl o | sed "s|$SRC/||"
status run o -S rlhf,start-over | sed "s|$SRC/||"
