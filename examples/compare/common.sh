# What the scripts here share: $here is their directory, $program what they are called.
PATH=${BUILD:-$here/../../build}:$PATH
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 LC_ALL=C

say() { printf '%s\n' "$*" >&2; }
die()
{
    say "$program: $*"
    exit 2
}

# The head of the script, as its --help.
help()
{
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | grep -v '^set'
    exit 0
}

unknown() { die "unknown option '$1'; see $0 --help"; }

# Gives each option and what stands behind it to the script's `option`, which sets takes=1 if that is
# not its own; then the operands.
arguments()
{
    while [ $# -gt 0 ]; do
        takes=2
        case $1 in
        -h | --help) help ;;
        -?*) option "$1" "${2:-}" ;;
        *) break ;;
        esac
        [ $# -ge "$takes" ] || die "$1 wants a value; see $0 --help"
        shift "$takes"
    done
    operands "$@"
}

# What options leave: $model, $prompts, $out.
operands()
{
    [ $# -eq 3 ] || die 'what is wanted: MODEL PROMPTS OUT; see --help'
    model=$1 prompts=$2 out=$3
    [ -r "$prompts" ] || die "$prompts: cannot be read"
}

# $out/FILE from what a function prints, kept for other questions: make FILE FUNCTION [WORDS]
make()
{
    file=$out/$1
    shift
    [ ! -e "$file" ] || return 0
    "$@" >"$file.new"
    case $file in *.rec) cagsr-cat --check -q "$file.new" ;; esac
    mv "$file.new" "$file"
    say "${file##*/}"
}
