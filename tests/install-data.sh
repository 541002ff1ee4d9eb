#!/bin/sh
# What `make install` puts below share/cagsr: the small model that the tools use without
# -m, and the prompts to try them on.
set -eu
to=$1
cd "$(dirname "$0")/.."

install -d "$to/models/tiny-qa" "$to/examples/tiny-qa"
install -m 644 examples/tiny-qa/model/* "$to/models/tiny-qa"
install -m 644 examples/prompts.jsonl "$to/examples"
install -m 644 examples/tiny-qa/questions.jsonl examples/tiny-qa/world.awk \
    "$to/examples/tiny-qa"
