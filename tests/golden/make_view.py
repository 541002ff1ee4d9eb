#!/usr/bin/env python3
"""Writes tests/golden/view: records that look like a run, with all that a picture must
survive: markup, escapes, blanks, wide characters, a token inside a character, a template, an
abstention, layers and heads apart.  Numbers have few digits and are exact in float32.

    python3 tests/golden/make_view.py
"""
import json
import pathlib
import random

OUT = pathlib.Path(__file__).parent / "view"
random.seed(7)

SKY = ["<s>", "Why", " is", " the", " sky", " blue", "?", "\n"]
ANSWERS = [
    [" The", " sky", " is", " blue", " because", " of", " air", ".", "</s>"],
    [" Why", " is", " the", " sky", " is", " the", " sky", " is", " the", " sky"],
    [" <b>\"", "R&D", "\"</b>", "\n", "\x1b[31m", " d\u00e9", "j\u00e0", " \u6f22\u5b57", " \u202egnirts"],
]
HATS = ["Ann", " has", " a", " red", " hat", ".", " Who", " has", " a", " hat", "?"]


def ends(tokens):
    at, out = 0, []
    for t in tokens:
        at += len(t.encode())
        out.append(at)
    return out


def rows(T, P, sink, bright):
    """Mass mostly on the first token, some on the bright ones: in 1/1024."""
    out = []
    for t in range(T):
        row = [random.randrange(0, 12) for _ in range(P)]
        row[0] = sink - 8 * t
        for j in bright:
            if random.random() < .6:
                row[j] = random.randrange(60, 200)
        out.append([x / 1024 for x in row])
    return out


def tensor(shape, data):
    return {"$nd": shape, "type": "<f4", "data": data}


def sample(pid, cand, n, prompt, mask, tokens, finish, attn):
    P, T = len(prompt), len(tokens)
    return {"kind": "sample", "id": pid, "cand": cand, "n": n, "prompt": "".join(prompt),
            "text": "".join(tokens), "prompt_ids": [100 + sum(prompt[j].encode()) % 900 for j in range(P)],
            "ids": [100 + sum(t.encode()) % 900 for t in tokens], "prompt_ends": ends(prompt), "ends": ends(tokens),
            "prompt_mask": {"$bin": mask}, "ref": [-random.randrange(1, 24) / 8 for _ in range(T)],
            "temperature": 1.0, "finish": finish,
            "attn": {"reduce": "mean", "model": "00000000000000ff", "kind": "self", **attn}}


def run():
    for i, tokens in enumerate(ANSWERS):
        r = sample("sky <1>", i, 3, SKY, "AAEBAQEBAQA=", tokens, "eos" if i == 0 else "length",
                   {"layers": "2:4", "heads": "mean",
                    "rows": tensor([len(tokens), len(SKY)], rows(len(tokens), len(SKY), 600, [4, 5]))})
        yield r
    for i, tokens in enumerate([[" Ann", ".", "</s>"], [" Bob", " has", "!", "</s>"]]):
        planes = [[rows(len(tokens), len(HATS), 300 + 40 * h, [0, 4 + layer]) for h in range(3)]
                  for layer in range(2)]
        yield sample("hats", i, 2, HATS, "AQEBAQEBAQEBAQE=", tokens, "eos",
                     {"layers": "5:7", "heads": "each",
                      "rows": tensor([2, 3, len(tokens), len(HATS)], planes)})


def metrics(seed, slope):
    for step in range(1, 9):
        yield {"kind": "metric", "algo": "grpo", "step": step,
               "reward": (slope * step + (seed * step) % 3) / 8, "rewards/coverage/mean": (step + seed) / 64,
               "objective/kl": step * step / 128, "completions/mean_length": 20 - step / 2, "seconds": 1.5}


def write(name, records):
    text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records)
    (OUT / name).write_text(text, encoding="utf-8")


OUT.mkdir(exist_ok=True)
write("run.jsonl", run())
write("seed1.jsonl", metrics(1, 2))
write("seed2.jsonl", metrics(2, 2))
write("random.jsonl", metrics(2, 0))
