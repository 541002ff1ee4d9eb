#!/usr/bin/env python3
"""Random texts through our tokenizers and through the tokenizers library: ids, offsets and what
they decode to must be the same.

    python3 tests/tok/differ.py [-n STRINGS] [--seed N] [PATH ...]

PATH is a directory with a tokenizer.json, or the file; or one of make_spm.py's directories with a
tokenizer.model, or a .gguf in one; without any, those of tests/golden/tok.
Prints one line per tokenizer; the exit status is 1 if anything differs."""
import argparse
import glob
import itertools
import os
import random
import sys
import unicodedata

from tokenizers import Tokenizer

import ours

BLOCKS = [(0x20, 0x7E), (0xA0, 0x17F), (0x300, 0x36F), (0x370, 0x52F), (0x590, 0x6FF), (0x900, 0xDFF),
          (0xE00, 0xEFF), (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x23FF),
          (0x2460, 0x27BF), (0x3000, 0x30FF), (0x3200, 0x33FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3),
          (0xF900, 0xFAFF), (0xFB00, 0xFB4F), (0xFE00, 0xFFEF), (0x10400, 0x1044F), (0x1D400, 0x1D7FF),
          (0x1F100, 0x1F1FF), (0x1F300, 0x1FAFF), (0x20000, 0x2A6DF), (0xE0000, 0xE007F)]
PIECES = ["\u2581", " ", "  ", "   ", "\n", "\t", "\r\n", "\u00a0", "\u200b", "\u200d", "\ufeff", "\ufffd",
          "e\u0301", "\u1100\u1161\u11a8", "a\u0323\u0302", "\u00bd", "\u2460", "\ufb01", "\u0130", "\u03a3",
          "1234", "3.14", "don't", "I'm", "...", "--", "\U0001f1e9\U0001f1ea", "\U0001f469\u200d\U0001f52c",
          "\x00", "\x01", "\x7f", "\x85", "\u2028", "\u3000", "\u0915\u094d\u0937", "\u0344", "\U0001d15e",
          "<0x41>", "##a", "<s", "Hello", "world", "The quick brown fox", "http://x.org/a?b=1", "x_y"]


def one_char(r):
    if r.random() < 0.02:
        c = r.randrange(0x110000)
        return "" if 0xD800 <= c < 0xE000 else chr(c)
    return chr(r.randrange(*BLOCKS[r.randrange(len(BLOCKS))]))


def random_text(r, specials, words):
    out = []
    for _ in range(r.choice([1, 2, 3, 5, 8, 13, 21])):
        x = r.random()
        if x < 0.35:
            out.append(r.choice(words))
        elif x < 0.55:
            out.append(r.choice(PIECES))
        elif x < 0.60 and specials:
            out.append(r.choice(specials))
        elif x < 0.80:
            lo, hi = BLOCKS[r.randrange(len(BLOCKS))]
            out.append("".join(chr(r.randrange(lo, hi + 1)) for _ in range(r.randrange(1, 6))))
        elif x < 0.9:
            out.append("".join(one_char(r) for _ in range(r.randrange(1, 6))))
        else:
            out.append(chr(r.randrange(0x20, 0x7F)) * r.randrange(1, 9))
        if r.random() < 0.4:
            out.append(" ")
    return "".join(out)


def show(name, text, a, b):
    print(f"  {name}: {text!a}\n    library {a!a}\n    ours    {b!a}")


def odd_ids(theirs):
    """Added tokens that we show as they are written.  The library shows them normalised, and does
    not skip special ones then, and takes Latin-1 letters in them for bytes."""
    alphabet = "ByteLevel" in str(theirs.decoder)
    return {i for i, t in theirs.get_added_tokens_decoder().items()
            if (alphabet and not t.content.isascii()) or
            (t.normalized and theirs.normalizer and theirs.normalizer.normalize_str(t.content) != t.content)}


def lacking(theirs):
    """Bytes that a byte-level vocabulary has no token for."""
    if "ByteLevel" not in str(theirs.pre_tokenizer):
        return set()
    have = theirs.get_vocab()
    return {b for b in range(256) if spelled(b) not in have}


def spelled(b):
    """A byte in GPT-2's alphabet."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return chr(b) if b in plain else chr(0x100 + [x for x in range(256) if x not in plain].index(b))


def differences(theirs, mine, text, odd, lacks, r):
    want = theirs.encode(text, add_special_tokens=False)
    ids, ends = mine.encode(text)
    if want.ids != ids:
        return "ids", want.ids, ids
    ends = ours.whole_characters(text, ends)
    there = list(itertools.accumulate(ours.byte_ends(text, [e for _, e in want.offsets]), max))  # ours never fall
    if there != ends and not lacks & set(text.encode()):  # behind a dropped byte the library's are too small
        return "ends", there, ends
    special = r.random() < 0.25
    if special and theirs.encode(text).ids != mine.encode(text, True)[0]:
        return "ids with special tokens", theirs.encode(text).ids, mine.encode(text, True)[0]
    if r.random() < 0.5:  # ids that no text gives
        ids = [r.randrange(mine.size()) for _ in range(r.randrange(1, 12))]
    ids = [i for i in ids if i not in odd]
    skip = r.random() < 0.5
    said, got = theirs.decode(ids, skip_special_tokens=skip), mine.decode(ids, skip)
    if said != got:
        return f"text of {ids}", said, got
    return None


def library(path):
    """The library's tokenizer of a directory."""
    file = os.path.join(path, "tokenizer.json")
    if os.path.exists(file):
        return Tokenizer.from_file(file)
    import make_spm  # imports us
    return make_spm.library(path)


def run(path, n, seed, shown):
    if path.endswith(".json"):
        theirs = Tokenizer.from_file(path)
    else:
        theirs = library(path if os.path.isdir(path) else os.path.dirname(path))
    mine = ours.Tok(path)
    theirs.no_padding()
    theirs.no_truncation()
    specials = [t.content for t in theirs.get_added_tokens_decoder().values()]
    r = random.Random(seed)
    vocab = sorted(theirs.get_vocab())
    words = [w.replace("\u2581", " ").replace("\u0120", " ") for w in r.sample(vocab, min(500, len(vocab)))]
    odd, lacks, bad = odd_ids(theirs), lacking(theirs), 0
    for _ in range(n):
        text = random_text(r, specials, words)
        d = differences(theirs, mine, text, odd, lacks, r)
        if d:
            bad += 1
            if bad <= shown:
                show(d[0], text, d[1], d[2])
    print(f"{path}: {n} strings, {bad} differ", flush=True)
    return bad


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("-n", type=int, default=100000)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--show", type=int, default=5)
    p.add_argument("path", nargs="*")
    o = p.parse_args()
    paths = o.path or sorted(os.path.dirname(f) for f in glob.glob("tests/golden/tok/*/tokenizer.json")
                             + glob.glob("tests/golden/tok/*/tokenizer.model"))
    print(f"Unicode {unicodedata.unidata_version} in Python, seed {o.seed}")
    sys.exit(1 if sum(run(x, o.n, o.seed, o.show) for x in paths) else 0)


if __name__ == "__main__":
    main()
