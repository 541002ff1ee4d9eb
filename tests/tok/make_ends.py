#!/usr/bin/env python3
"""Writes ends.jsonl beside each vectors.jsonl of tests/golden/tok: where the tokens of a text
end in it, in bytes, by the tokenizers library; [] for lines that have no text.

    python3 tests/tok/make_ends.py DIR=TOKENIZER.json ...
"""
import json
import sys

from tokenizers import Tokenizer


def byte_ends(text, ends):
    at = [0]
    for c in text:
        at.append(at[-1] + len(c.encode()))
    return [at[e] for e in ends]


def main():
    for arg in sys.argv[1:]:
        where, file = arg.split("=")
        t = Tokenizer.from_file(file)
        with open(f"{where}/vectors.jsonl", encoding="utf-8") as lines, open(f"{where}/ends.jsonl", "w") as out:
            for line in lines:
                v = json.loads(line)
                ends = []
                if "text" in v and not v.get("decode_only"):
                    e = t.encode(v["text"], add_special_tokens=False)
                    assert e.ids == v["ids"], v
                    ends = byte_ends(v["text"], [x for _, x in e.offsets])
                out.write(json.dumps(ends, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
