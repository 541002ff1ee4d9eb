#!/bin/sh
# make docs: the pictures of README.md, from runs that were recorded (examples/pictures/recorded), and the
# page examples/pictures/smollm2.html, which is not kept.  examples/pictures/README.md says how they were recorded.
set -eu
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
to=${1:-examples/pictures}
view=$BUILD/cagsr-view
in=examples/pictures/recorded

"$view" --svg -i passage-001 --title "What SmolLM2 reads of the question while it answers" \
    -o "$to/attention.svg" $in/smollm2.rec
"$view" --svg -p reward -i passage-001 --title "Eight answers and what their rewards are made of" \
    -o "$to/reward.svg" $in/smollm2.rec
set --
for seed in 1 2 3; do
    set -- "$@" -r "cagsr=$in/cagsr-$seed.jsonl" -r "random reward=$in/random-$seed.jsonl"
done
"$view" --svg --title "The demo's model trained by CAGSR and by a random reward, three seeds each" \
    -F 'rewards/coverage/mean,rewards/coherence/mean,objective/kl,policy/entropy_avg,completions/mean_length,rewards/repetition/mean' \
    -o "$to/curves.svg" "$@"
"$view" --html --title "SmolLM2-135M-Instruct: two questions, eight answers each" \
    -o "$to/smollm2.html" $in/smollm2.rec
