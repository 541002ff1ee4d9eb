# Completion of bash and zsh, made from the tools' own tables; progress for programs.
. "$KIT"
need bash
rm -rf c && mkdir c
sh "$SRC/tools/completion/options.sh" "${BUILD:-$SRC/build}"/cagsr-* >c/options
awk -f "$SRC/tools/completion/bash.awk" c/options >c/cagsr
awk -f "$SRC/tools/completion/zsh.awk" c/options >c/_cagsr

echo "-- what --help has, the completion has"
for n in $(cut -f 1 c/options | uniq); do
    $n --help | sed -n 's/^  .\{4\}--\([a-z0-9-]*\).*/\1/p' | sort >want
    grep "^$n	" c/options | cut -f 2 | sort | cmp - want || echo "$n"
done
echo "-- bash"
cat >try.bash <<'E2'
. c/cagsr
try() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _cagsr
    echo "${*}: ${COMPREPLY[*]}"
}
try cagsr-update --algo r
try cagsr-update --lora
try /usr/bin/cagsr-attn --reduce ''
try cagsr-attn -m mod
try cagsr-cat --ch
try cagsr-loop --re
try cagsr-sample -n --max
E2
bash try.bash
echo "-- zsh: well formed, and an option with its choices"
if command -v zsh >/dev/null; then zsh -n c/_cagsr || echo 'zsh -n fails'; fi
[ "$(grep -c '_arguments -s' c/_cagsr)" -eq "$(cut -f 1 c/options | uniq | wc -l)" ] && echo 'every tool'
grep -o "'--reduce=.*" c/_cagsr

echo "-- progress for programs"
M=$SRC/examples/tiny-qa/model
awk -f "$SRC/examples/tiny-qa/world.awk" -v what=prompts -v n=4 -v seed=3 >prompts.jsonl
numbers() { sed 's/=[-0-9.e+]*[0-9]/=N/g' | sort -u; }
cagsr-sample -q -m "$M" -n 2 --raw --max-tokens 4 --progress-fd 3 prompts.jsonl 3>p >a.rec
numbers <p
cagsr-attn -m "$M" --progress-fd 3 a.rec 3>p >b.rec
numbers <p
cagsr-reward --t-min 0 --progress-fd 3 b.rec 3>p >r.rec
numbers <p
cagsr-update -q -m "$M" --algo grpo --batch 2 --steps 2 --progress-fd 3 -o u r.rec 3>p >/dev/null
numbers <p
head -c 900 a.rec | cagsr-attn -m "$M" --progress-fd 3 3>p >/dev/null 2>&1 || numbers <p
echo "-- a monitor that leaves does not end the run"
mkfifo f
(read -r line <f) &
cagsr-attn -m "$M" --progress-fd 3 a.rec 3>f | cmp - b.rec && echo same
wait
status cagsr-attn -m "$M" --progress-fd 9 a.rec
