#!/usr/bin/env python3
"""Writes tokenizers of many kinds for differ.py: the golden ones with other normalizers,
pre-tokenizers, decoders and flags, one directory each.

    python3 tests/tok/make_zoo.py DIR && python3 tests/tok/differ.py -n 10000 DIR/*
"""
import copy
import json
import os
import sys

ROOT = "tests/golden/tok"
MARK = "\u2581"


def metaspace(scheme, split=True):
    return {"type": "Metaspace", "replacement": MARK, "prepend_scheme": scheme, "split": split}


def replace(pattern, content, kind="String"):
    return {"type": "Replace", "pattern": {kind: pattern}, "content": content}


def seq(key, *items):
    return {"type": "Sequence", key: list(items)}


def split(pattern, behavior, invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


SPM_DECODER = seq("decoders", replace(MARK, " "), {"type": "ByteFallback"}, {"type": "Fuse"},
                  {"type": "Strip", "content": " ", "start": 1, "stop": 0})
PRECOMPILED = json.load(open(f"{ROOT}/t5-style/tokenizer.json"))["normalizer"]

NORMALIZERS = {
    "nfc": {"type": "NFC"}, "nfd": {"type": "NFD"}, "nfkc": {"type": "NFKC"}, "nfkd": {"type": "NFKD"},
    "lower": {"type": "Lowercase"}, "nmt": {"type": "Nmt"},
    "accents": seq("normalizers", {"type": "NFKD"}, {"type": "StripAccents"}),
    "strip": {"type": "Strip", "strip_left": True, "strip_right": True},
    "stripleft": {"type": "Strip", "strip_left": True, "strip_right": False},
    "stripright": seq("normalizers", PRECOMPILED, {"type": "Strip", "strip_left": False, "strip_right": True},
                      replace(" {2,}", MARK, "Regex")),
    "prepend": {"type": "Prepend", "prepend": "\u00e9x"},
    "replace": seq("normalizers", replace("``", "\""), replace("[aeiou]+", "*\u00e9", "Regex"), replace(" ", "")),
    "spm": seq("normalizers", replace("\\A +| +\\z", "", "Regex"), replace(" {2,}", " ", "Regex"), replace(" ", MARK),
               replace("\\A\u2581", "\u2581\u2581", "Regex")),
    "albert": seq("normalizers", {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}, PRECOMPILED,
                  replace(" {2,}", " ", "Regex")),
    "cased": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": False,
              "lowercase": False},
    "bertaccents": {"type": "BertNormalizer", "clean_text": False, "handle_chinese_chars": False, "strip_accents": True,
                    "lowercase": False},
}
PRE = {
    "always": metaspace("always"), "first": metaspace("first"), "never": metaspace("never"),
    "firstwhole": metaspace("first", False), "words": {"type": "Whitespace"},
    "digits": seq("pretokenizers", {"type": "Digits", "individual_digits": False}, metaspace("always")),
    "digit": {"type": "Digits", "individual_digits": True},
    "punct": {"type": "Punctuation", "behavior": "MergedWithNext"},
    "punct2": seq("pretokenizers", {"type": "WhitespaceSplit"}, {"type": "Punctuation", "behavior": "Contiguous"},
                  metaspace("always")),
    "gemma": split(" ", "MergedWithPrevious", kind="String"),
    "splits": seq("pretokenizers", split("[a-m]+", "Removed"), split("\\s+", "Contiguous", True), split("x|y", "Isolated")),
    "bert": {"type": "BertPreTokenizer"},
}


def main():
    out = sys.argv[1]

    def write(name, base, **parts):
        t = copy.deepcopy(base)
        for k, v in parts.items():
            if k in ("byte_fallback", "fuse_unk", "unk_token", "unk_id", "max_input_chars_per_word", "ignore_merges"):
                t["model"][k] = v
            else:
                t[k] = v
        os.makedirs(f"{out}/{name}", exist_ok=True)
        json.dump(t, open(f"{out}/{name}/tokenizer.json", "w"))

    base = {n: json.load(open(f"{ROOT}/{n}-style/tokenizer.json")) for n in ("t5", "llama2", "gpt2", "qwen2")}
    base["bert"] = json.load(open(f"{ROOT}/wordpiece/tokenizer.json"))
    for i, (name, v) in enumerate(NORMALIZERS.items()):
        for b in (("t5", "bert", "llama2")[i % 3], ("llama2", "t5", "bert", "gpt2")[i % 4]):
            write(f"n-{name}-{b}", base[b], normalizer=v)
    for name, v in PRE.items():
        write(f"p-{name}-llama2", base["llama2"], normalizer=None, pre_tokenizer=v)
        write(f"p-{name}-t5", base["t5"], pre_tokenizer=v)
    flags = [dict(lstrip=True), dict(rstrip=True), dict(single_word=True), dict(normalized=True),
             dict(normalized=True, lstrip=True, rstrip=True)]
    texts = ["Hello", "<New>", " the ", "\u00c9t\u00e9"]
    kinds = [[(text, f) for text in texts] for f in flags]
    for normal in False, True:  # white space that one takes is where the next one begins
        white = ["\n"] if normal else [" ", "\n"]  # which of two that are the same when normalised is anyone's guess
        kinds.append([(text, dict(normalized=normal, rstrip=text[0] > " ")) for text in texts + white])
    for b in base:
        for i, kind in enumerate(kinds):
            added = copy.deepcopy(base[b]["added_tokens"])
            top = max([a["id"] for a in added] + [len(base[b]["model"]["vocab"]) - 1]) + 1
            for k, (text, f) in enumerate(kind):
                added.append({**dict(id=top + k, content=text, single_word=False, lstrip=False, rstrip=False,
                                     normalized=False, special=k == 1), **f})
            write(f"a-{b}-{i}", base[b], added_tokens=added)
    blank = copy.deepcopy(base["gpt2"]["pre_tokenizer"])
    blank["add_prefix_space"] = True
    write("m-gpt2-blank", base["gpt2"], pre_tokenizer=blank)
    write("m-llama2-unk", base["llama2"], byte_fallback=False)
    write("m-llama2-nofuse", base["llama2"], byte_fallback=False, fuse_unk=False)
    write("m-llama2-whole", base["llama2"], ignore_merges=True, pre_tokenizer=metaspace("always"), normalizer=None)
    write("m-llama2-nodecoder", base["llama2"], decoder=None)
    write("m-bert-short", base["bert"], max_input_chars_per_word=5,
          decoder={"type": "WordPiece", "prefix": "##", "cleanup": False})
    write("m-t5-never", base["t5"], pre_tokenizer=metaspace("never"), decoder=metaspace("never"))
    pieces = [[f"<0x{i:02X}>", -20.0] for i in range(256)]
    t = copy.deepcopy(base["t5"])
    t["model"]["vocab"] += pieces
    for i, a in enumerate(t["added_tokens"]):
        if a["content"].startswith("<extra"):
            a["id"] += 256
    write("m-t5-bytes", t, byte_fallback=True, decoder=SPM_DECODER)


if __name__ == "__main__":
    main()
