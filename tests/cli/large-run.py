"""Two prompts of 67 tokens with 8 answers of 64 and what they read, as JSON lines, drawn by chance:
for large_run of kit.sh."""
import json, random
random.seed(1)
words = "the library of old town opens at nine on weekdays and eleven Saturdays members may borrow six books".split()
def text(n):
    parts = [" " + random.choice(words) for _ in range(n)]
    at, ends = 0, []
    for p in parts:
        at += len(p)
        ends.append(at)
    return "".join(parts), ends
for group in range(2):
    prompt, prompt_ends = text(67)
    ids = [random.randrange(50000) for _ in range(67)]
    for cand in range(8):
        answer, ends = text(64)
        rows = [[round(random.expovariate(200), 6) for _ in range(67)] for _ in range(64)]
        print(json.dumps({"kind": "sample", "id": "prompt-%d" % group, "cand": cand, "n": 8, "prompt": prompt, "text": answer,
            "prompt_ids": ids, "ids": [random.randrange(50000) for _ in range(64)], "prompt_ends": prompt_ends, "ends": ends,
            "ref": [-2.0] * 64, "finish": "length", "attn": {"kind": "self", "layers": "15:30", "heads": "mean",
            "reduce": "mean", "model": "0", "rows": {"$nd": [64, 67], "type": "<f4", "data": rows}}}))
