# The golden rewards through the tool: f7, literal and the default.
. "$KIT"
py=$(python_with json) || skip "no python on this machine"
"$py" "$SRC/tests/cli/reward-golden.py" "${CAGSR_GOLDEN:-$SRC/tests/golden}/reward" .
