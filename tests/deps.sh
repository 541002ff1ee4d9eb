#!/bin/sh
# What building, testing and the demo need.  Debian and Ubuntu: installed, as root or by
# sudo, without a question; what is there already is left alone, and with everything there
# the network is not touched.  Elsewhere: the lists for dnf, pacman and brew, and exit 1 if
# something is missing.
set -u

# build: without these nothing is built.  test: make check, asan, lint, fuzz; the demo.
build="gcc libc6-dev make pkg-config libopenblas-dev libmsgpack-dev libpcre2-dev
    libutf8proc-dev libjansson-dev libxxhash-dev"
test="libcriterion-dev clang clang-format mandoc jq gawk python3 python3-msgpack
    python3-numpy python3-pip unzip ca-certificates procps"
# wanted: without them everything works, with fewer checks.  DEPS_WANTED names
# more: .ci/run wants chromium, for the tests of cagsr-view's page (50 MB, 20 seconds).
wanted="strace ${DEPS_WANTED:-}"

dnf="gcc make pkgconf-pkg-config openblas-devel msgpack-devel pcre2-devel utf8proc-devel
    jansson-devel xxhash-devel criterion-devel clang clang-tools-extra
    compiler-rt mandoc jq gawk python3 python3-msgpack python3-numpy python3-pip unzip"
pacman="gcc make pkgconf openblas msgpack-c pcre2 libutf8proc jansson xxhash criterion
    clang compiler-rt mandoc jq gawk python python-msgpack python-numpy python-pip unzip"
brew="make pkg-config openblas msgpack pcre2 utf8proc jansson xxhash criterion llvm
    clang-format mandoc jq gawk python unzip"

say() { printf 'deps: %s\n' "$*"; }

die() {
    printf 'deps: %s\n' "$*" >&2
    exit 1
}

one_line() { echo "$*" | tr -s ' \n' '  '; }

have() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

known() { apt-cache show "$1" >/dev/null 2>&1; }

# The packages among those named that are not installed.
missing() {
    for p in "$@"; do
        have "$p" || printf '%s ' "$p"
    done
}

# clang's sanitizers and libFuzzer are in a package of their own, named by version; older
# releases have them in libclang-common-N-dev.
runtime() {
    v=$(clang -dumpversion 2>/dev/null | cut -d. -f1)
    [ -n "$v" ] || return 0
    for p in "libclang-rt-$v-dev" "libclang-common-$v-dev"; do
        if have "$p" || known "$p"; then
            echo "$p"
            return 0
        fi
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        die "not root, and no sudo: run as root: $*"
    fi
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold -o Acquire::Retries=3 "$@"
}

install_all() {
    # shellcheck disable=SC2086 # lists of words
    need=$(missing $build $test)
    # shellcheck disable=SC2086
    want=$(missing $wanted)
    if [ -n "$need$want" ]; then
        say "installing $(one_line "$need$want")"
        apt update >&2 || die "'apt-get update' failed: see above"
    fi
    for p in $want; do
        if known "$p"; then
            need="$need$p "
        else
            say "$p is not in this release: going without it"
        fi
    done
    for p in $need; do
        known "$p" || die "$p is not in this release: install it by other means"
    done
    # shellcheck disable=SC2086
    [ -z "$need" ] || apt install --no-install-recommends $need >&2 ||
        die "'apt-get install' failed: see above"
    # shellcheck disable=SC2046
    rt=$(missing $(runtime))
    # shellcheck disable=SC2086
    [ -z "$rt" ] || apt install --no-install-recommends $rt >&2 ||
        die "'apt-get install $rt' failed: see above"
    # shellcheck disable=SC2086
    rest=$(missing $build $test)
    [ -z "$rest" ] || die "still not installed: $rest"
    say "everything is installed"
}

# Elsewhere nobody is asked: the lists, and what is missing of that which can be told.
print_lists() {
    say "not Debian or Ubuntu: install these, then 'make' names what is missing"
    cat <<EOF
  Fedora:   dnf install $(one_line "$dnf")
  Arch:     pacman -S --needed $(one_line "$pacman")
  macOS:    brew install $(one_line "$brew")
EOF
    for lib in openblas msgpack libpcre2-8 libutf8proc jansson libxxhash; do
        "${PKGCONF:-pkg-config}" --exists "$lib" 2>/dev/null || lacks="${lacks-} $lib"
    done
    [ -z "${lacks-}" ] || die "pkg-config does not find:$lacks"
    say "pkg-config finds every library"
}

if command -v apt-get >/dev/null 2>&1 && command -v dpkg-query >/dev/null 2>&1; then
    install_all
else
    print_lists
fi
