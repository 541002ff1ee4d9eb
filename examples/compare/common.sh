# What the scripts here share: $here is their directory, $program what they are called.
PATH=${BUILD:-$here/../../build}:$PATH
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 LC_ALL=C

say() { printf '%s\n' "$*" >&2; }
die()
{
    say "$program: $*"
    exit 2
}
