# Streams and Python's stock msgpack: each reads what the other writes.
. "$KIT"
py=$(python_with msgpack) || skip "no python with msgpack"

cat >write.py <<'END'
# A producer in Python, tensors in msgpack-numpy's form, everything odd that msgpack can say.
import msgpack, random, struct, sys
random.seed(7)
large = 1e300

def value(depth):
    k = random.randrange(13 if depth < 4 else 9)
    if k == 0: return None
    if k == 1: return random.random() < .5
    if k == 2: return random.choice([0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1])
    if k == 3: return -random.choice([1, 32, 33, 128, 129, 32768, 32769, 2**31, 2**31 + 1, 2**63])
    if k == 4: return random.choice([0.0, -0.0, 0.1, large, 5e-324, float("inf"), float("-inf")])
    if k == 5: return "".join(random.choice("aé😀\n\"\\\x00\x1b{}$") for _ in range(random.randrange(40)))
    if k == 6: return random.randbytes(random.choice([0, 1, 255, 256, 70000]))
    if k == 7: return msgpack.ExtType(random.randrange(128), random.randbytes(random.choice([0, 1, 2, 3, 4, 8, 16, 17])))
    if k == 8: return {b"nd": True, b"type": "<f4", b"kind": b"", b"shape": [2, 3], b"data": random.randbytes(24)}
    if k == 9: return [value(depth + 1) for _ in range(random.choice([0, 1, 15, 16]))]
    if k == 10: return [random.random() for _ in range(5)]
    if k == 11: return {random.choice(["a", "b", "$bin", ""]) + str(i): value(depth + 1) for i in range(random.choice([0, 1, 3, 16]))}
    return {i: value(depth + 1) for i in range(3)}

out = open(sys.argv[1], "wb")
n = 300
out.write(msgpack.packb({"kind": "header", "cagsr": 1, "pg": [{"id": "w", "pn": "write.py"}], "extra": b"\x00"}))
for i in range(n):
    large = 3e38 if i % 2 == 0 else 1e300  # single floats end at 3.4e38
    out.write(msgpack.packb({"kind": "sample", "id": "p%d" % (i // 3), "cand": i % 3, **{"f%d" % k: value(0) for k in range(6)}},
                            use_single_float=i % 2 == 0))
out.write(msgpack.packb({"kind": "end", "records": n, "status": "ok"}))
END
cat >same.py <<'END'
# Are the records of two streams the same bytes?  Headers and ends aside.
import msgpack, sys

def records(path):
    data, out = open(path, "rb").read(), []
    u = msgpack.Unpacker(strict_map_key=False, max_buffer_size=0, unicode_errors="surrogateescape")
    u.feed(data)
    at = 0
    while at < len(data):
        u.skip()
        out.append(data[at:u.tell()])
        at = u.tell()
    return [r for r in out if b"header" not in r[:16] and b"\xa3end" not in r[:16]]

a, b = records(sys.argv[1]), records(sys.argv[2])
bad = [i for i, (x, y) in enumerate(zip(a, b)) if x != y]
print(len(a), "records,", "the same" if len(a) == len(b) and not bad else "different: %s" % bad[:5])
END
$py write.py a.rec
cagsr-cat --check -v a.rec 2>&1 | sed 's/, .* bytes//'
echo "-- through a filter, byte for byte"
cagsr-cat -s a.rec >b.rec
$py same.py a.rec b.rec
echo "-- through JSON, byte for byte"
cagsr-cat a.rec | cagsr-cat -s >c.rec
$py same.py a.rec c.rec
echo "-- JSON that other readers take"
cagsr-cat a.rec | $py -c '
import json, sys
print(sum(1 for line in sys.stdin if json.loads(line)))'
cagsr-cat -p a.rec | $py -c '
import json, sys
print(sum(1 for line in sys.stdin if json.loads(line)))'
echo "-- what we write, read"
cat >d.jsonl <<'END'
{"kind":"sample","id":"p","cand":0,"ids":[1,-2,300000],"logp":[-0.5,-0.25,-1.0],"temperature":0.7,"attn":{"kind":"self","rows":{"$nd":[3,2],"type":"<f4","data":[[0.5,0.25],[1.0,0.0],[0.125,0.75]]}}}
END
cagsr-cat -s d.jsonl >d.rec
cat >read.py <<'END'
import msgpack, struct, sys
for r in msgpack.Unpacker(open(sys.argv[1], "rb"), max_buffer_size=0):
    if r["kind"] == "sample":
        t = r["attn"]["rows"]
        print(r["ids"], r["logp"], r["temperature"], t[b"shape"], struct.unpack("<6f", t[b"data"]))
    elif r["kind"] == "end":
        print(r["records"], r["status"], len(r["xxh"]))
END
$py read.py d.rec
