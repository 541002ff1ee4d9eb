#!/usr/bin/env python3
"""Megabytes per second of processor time, ours and the tokenizers library's (one thread):

    TOKENIZERS_PARALLELISM=false python3 tests/tok/speed.py TEXT.txt PATH ...

The text is given line by line, and as a whole."""
import os
import sys
import time

from tokenizers import Tokenizer

import ours


def rate(encode, texts, n):
    best = 0.0
    for _ in range(3):
        t = time.thread_time()
        for x in texts:
            encode(x)
        best = max(best, n / 1e6 / (time.thread_time() - t))
    return best


def main():
    text = open(sys.argv[1], encoding="utf-8").read()
    lines, n = text.splitlines(True), len(text.encode())
    print("tokenizer                        library lines/whole   ours lines/whole (MB/s)")
    for path in sys.argv[2:]:
        file = os.path.join(path, "tokenizer.json") if os.path.isdir(path) else path
        a, b = Tokenizer.from_file(file), ours.Tok(file)
        a.no_padding()
        a.no_truncation()
        r = [rate(lambda x: f(x), t, n) for f in (a.encode, b.encode) for t in (lines, [text])]
        print(f"{os.path.basename(path):32} {r[0]:9.2f} {r[1]:9.2f}   {r[2]:9.2f} {r[3]:9.2f}", flush=True)


if __name__ == "__main__":
    main()
