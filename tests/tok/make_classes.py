#!/usr/bin/env python3
"""Writes libcore/tok/classes_data.c: the classes of characters that tokenizers tell apart, as
the tokenizers library has them, asked for every code point.  They are those of old Unicode
versions on purpose: a newer table would give other ids.

    python3 tests/tok/make_classes.py > libcore/tok/classes_data.c   (then clang-format -i)
"""
from tokenizers import normalizers, pre_tokenizers

POINTS = [c for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000]


def ranges(points):
    out = []
    for c in points:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def removed_by(normalizer):
    return [c for c in POINTS if normalizer.normalize_str(chr(c)) == ""]


def cut_by(pre_tokenizer):
    return [c for c in POINTS if len(pre_tokenizer.pre_tokenize_str("a" + chr(c) + "a")) > 1]


def bert(**on):
    off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**{**off, **on})


def table(name, what, points):
    print(f"static const struct class_range {name}[] = {{")
    print(", ".join(f"{{0x{a:x}, 0x{b:x}}}" for a, b in ranges(points)))
    print("};")
    print(f"/* {what} */")
    print(f"const struct class class_{name} = {{{name}, sizeof {name} / sizeof *{name}}};\n")


print('/* Made by tests/tok/make_classes.py; not edited. */\n#include "tok/classes.h"\n')
table("white", "White space.", cut_by(pre_tokenizers.WhitespaceSplit()))
table("punct", "Punctuation.", cut_by(pre_tokenizers.Punctuation()))
table("number", "Numbers.", cut_by(pre_tokenizers.Digits(individual_digits=True)))
table("mark", "Marks.", removed_by(normalizers.StripAccents()))
table("nonspacing", "Nonspacing marks.", removed_by(bert(strip_accents=True)))
table("control", "What BERT's cleaning removes, but for U+0000.", removed_by(bert(clean_text=True)))
