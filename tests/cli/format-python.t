# The Python in cagsr-stream(5) reads a tensor.
. "$KIT"
py=$(python_with msgpack,numpy) || skip "no python with msgpack and numpy"

sed -n '/^import sys, msgpack, numpy/,/^\.Ed/p' "$SRC/man/cagsr-stream.5" | sed '$d' >read.py
echo '{"kind":"sample","id":"p","attn":{"rows":{"$nd":[2,2],"type":"<f4","data":[[0.5,1],[2,3]]}}}' |
    cagsr-cat -s | $py read.py
