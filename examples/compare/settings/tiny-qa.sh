# The world of examples/tiny-qa: exact accuracy, a cell in half a minute.  MODEL: a folder of
# models that examples/tiny-qa/recipe.sh has made, as models/%s/model.
steps=60 eval_steps='15 30 45 60' batch=16 n=8 lr=3e-4 kl=0.05 eval_n=8 calibrate=100
lr_ppo=7.5e-5 update_ppo='' # four passes over a batch where the others make one: a quarter each
lexical=4 coherent=.7/s pairs=600 few=32 rm_lr=1e-3 rm_epochs=3
sample='--raw --max-tokens 6'
# Answers have four tokens: bigrams count as repeats; one sentence is about each person.
measures='--salient sentence --rep-n 2'
all_words='--rep-n 2' # what systems count that are not told which words are asked about
default_weights='coverage=1/s,focus=.5/s,coherence=1,repetition=-16,copy=-16,no_end=-1,short=-2'
reworded='' # 1: answers have words of their own
export CAGSR_THREADS=1

# metric, value, low, high: shares by the world's judge, and what cagsr-eval measures; its
# `reward` is the default one by the frozen start.
evaluate() # STREAM
{
    cagsr-cat -k sample -t -F reference,finish,text "$1" |
        awk -f "$here/../tiny-qa/world.awk" -v reworded="$reworded" -v what=judge | awk -F '\t' '{
            printf "right\t%s\t\t\noff_topic\t%s\t\t\nungrounded\t%s\t\t\nmalformed\t%s\t\t\n",
                $1, $2, $3, $4 }'
    cagsr-eval -q -F tsv -B 1000 -M kl,reward,length,rep_2,copy_4,entropy "$1" |
        awk -F '\t' -v OFS='\t' 'NR > 1 { print $1, $2, $3, $4 }'
}

# Right answers before wrong ones to the same question, as a person would have it.
preferences() # COUNT
{
    cagsr-cat -k sample -t -F id,reference,text,finish,prompt_ids,ids "$base/first.rec" |
        awk -F '\t' -v n="$1" '
            NR > 1 { right = $4 == "eos" && $3 == $2; key = $1 }
            NR > 1 && right { good[key] = $6; prompt[key] = $5 }
            NR > 1 && !right { bad[key, ++wrong[key]] = $6; order[++rows] = key SUBSEP wrong[key] }
            END {
                for (i = 1; i <= rows && made < n; i++) {
                    split(order[i], part, SUBSEP)
                    if (!(part[1] in good))
                        continue
                    printf "{\"prompt_ids\":%s,\"chosen_ids\":%s,\"rejected_ids\":%s}\n",
                        prompt[part[1]], good[part[1]], bad[part[1], part[2]]
                    made++
                }
            }'
}
