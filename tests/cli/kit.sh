# Functions for the shell tests (tests/cli/run.sh says what else they get).

# Ends the test as skipped, saying why.
skip() {
    echo "$*"
    exit 77
}

# Ends the test as skipped unless the programs are there.
need() {
    for program in "$@"; do
        command -v "$program" >/dev/null || skip "no $program on this machine"
    done
}

# A python that has a module: `py=$(python_with msgpack) || skip ...`.
python_with() {
    for p in python3 /usr/bin/python3; do
        if "$p" -c "import $1" 2>/dev/null; then
            echo "$p"
            return 0
        fi
    done
    return 1
}

# Runs a command and prints what it said on standard error, and its exit status.
status() {
    rc=0
    "$@" 2>status.err || rc=$?
    cat status.err
    echo "exit $rc"
}

# Reads JSON lines from standard input into a stream: stream_of FILE.
stream_of() {
    cagsr-cat -s -f -o "$1"
}

# The real model's file, or a skip: CAGSR_SMOLLM2, else what is in build/models.
smollm2() {
    if [ -n "${CAGSR_SMOLLM2+set}" ]; then
        set -- "$CAGSR_SMOLLM2"
    else
        set -- "$BUILD"/models/*.gguf "$SRC"/build/models/*.gguf
    fi
    for m in "$@"; do
        if [ -f "$m" ]; then
            echo "$m"
            return 0
        fi
    done
    return 1
}
