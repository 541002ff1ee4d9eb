#!/usr/bin/env python3
# A reward in Python: shorter answers are better.  Any stage can be a filter like this one:
#     cagsr-sample ... | examples/filters/brevity.py | cagsr-update ...
# Everything else in a record passes as it is.  The end's checksum is of bytes that we pack
# anew, so it goes; the count of records stays, and a missing end still tells of a failure.
import sys, msgpack
for r in msgpack.Unpacker(sys.stdin.buffer, max_buffer_size=0):
    if r.get("kind") == "sample": r["reward"] = -float(len(r["ids"]))
    r.pop("xxh", None)
    sys.stdout.buffer.write(msgpack.packb(r))
