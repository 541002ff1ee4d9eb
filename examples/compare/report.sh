#!/bin/sh
# What has been measured so far, from the cells that are done:  report.sh OUT
#
#   OUT/results.tsv   every number
#   OUT/table.tsv     the last step of each system: mean over seeds, with an interval
#   OUT/report.html   the same for people, with curves; one file that loads nothing
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PATH=${BUILD:-$here/../../build}:$PATH
export LC_ALL=C
out=$1
work=$(mktemp -d "${TMPDIR:-/tmp}/report.XXXXXX")
trap 'rm -rf "$work"' EXIT

{
    printf 'seed\tsystem\tstep\tkl\tdecoding\tmetric\tvalue\tlow\thigh\n'
    cat "$out"/*/*/rows.tsv 2>/dev/null || :
} >"$out/results.tsv.new"
mv "$out/results.tsv.new" "$out/results.tsv"
awk -f "$here/table.awk" "$out/results.tsv" >"$out/table.tsv.new"
mv "$out/table.tsv.new" "$out/table.tsv"
command -v cagsr-view >/dev/null || exit 0

# ---- pictures -------------------------------------------------------------------------------
# A table of metrics for each run, as cagsr-view reads them: SYSTEM/SEED/metrics.tsv.
awk -F '\t' 'NR > 1 { print $2 "/" $1 }' "$out/results.tsv" | sort -u | (cd "$work" && xargs -r mkdir -p)
awk -v to="$work" -f "$here/runs.awk" "$out/results.tsv"

# Whether a metric was measured and is not the same for all.
has()
{
    awk -F '\t' -v name="$1" 'NR > 1 && $5 == "t1" && $6 == name { seen[$7 + 0] }
        END { for (x in seen) n++; exit n < 2 }' "$out/results.tsv"
}

# Those of the metrics named, at most so many: "a,b,c".
measured() # COUNT NAME...
{
    count=$1 list=
    shift
    for name in "$@"; do
        [ "$count" -gt 0 ] || break
        if has "$name"; then list=$list,$name count=$((count - 1)); fi
    done
    echo "${list#,}"
}
main=$(measured 1 right relevance tfidf)
over_steps=$(measured 3 "$main" reward kl)
over_kl=$(measured 6 "$main" reward rougeL ungrounded off_topic malformed distinct_2 rep_3 copy_4 self_bleu length)

# The systems named that were run, as options of cagsr-view, in "$@" of the caller's eval.
runs_of() # SYSTEM...
{
    for name in "$@"; do
        for run in "$work/$name"/*/metrics.tsv; do
            [ ! -f "$run" ] || printf " -r '%s=%s'" "$name" "$run"
        done
    done
}

# Two pictures of some systems: over steps; against the distance to the start, where the best
# of N answers, which have no steps, stand beside them.
figure() # TITLE WORDS SYSTEM...
{
    title=$1 words=$2
    shift 2
    runs=$(runs_of "$@")
    [ -n "$runs" ] || return 0
    printf '<h2>%s</h2>\n<p>%s</p>\n<figure>' "$title" "$words"
    eval "cagsr-view --svg --title 'Over updates' -F $over_steps $runs"
    printf '</figure>\n<figure>'
    eval "cagsr-view --svg --title 'As the policy moves away from the start' -x kl -F $over_kl \
        $runs $(runs_of best-of-n)"
    printf '</figure>\n'
}

known='start best-of-n grpo grpo-own ppo reinforce literal lexical logp random random-words length
    no-coverage no-focus no-coherence no-copy rlhf synthetic hybrid'
others=
for path in "$work"/*/; do
    name=$(basename "$path")
    case " $(echo $known) " in *" $name "*) ;; *) others="$others $name" ;; esac
done
pictures()
{
    figure 'Algorithms' 'The default reward by other algorithms; own attention; the sums of the paper.' \
        grpo ppo reinforce grpo-own literal
    figure 'Does it take attention?' 'The default reward beside what is closest to it without attention: counting the salient words, and the mean log-probability.' \
        grpo lexical logp
    figure 'Placebos' 'What a reward does that knows nothing of the answer.' grpo random random-words length
    figure 'What earns its place' 'The default reward without one of its parts.' \
        grpo no-coverage no-focus no-coherence no-copy
    figure 'Preferences' 'Reward models on labelled and on synthetic pairs, and a few labels beside the default reward.' \
        grpo rlhf synthetic hybrid
    # shellcheck disable=SC2086 # a list of words
    figure 'Others' 'Systems that were added.' $others
}

if has "${main:-.}"; then pictures >"$work/pictures.html"; else : >"$work/pictures.html"; fi
awk -v pictures="$work/pictures.html" -f "$here/page.awk" "$out/results.tsv" "$out/table.tsv" \
    >"$out/report.html.new"
mv "$out/report.html.new" "$out/report.html"
