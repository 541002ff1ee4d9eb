#!/usr/bin/env python3
"""Makes metrics/more.jsonl: what nltk, rouge_score and scipy say of made-up cases.

    python3 tests/golden/make_metrics.py          (rouge_score 0.1.2, nltk 3.10, scipy 1.17)

metrics/vectors.jsonl beside it came from elsewhere; here are the corners that it lacks: the
stemmer word by word, texts of few words and many lines, Unicode, correlations with ties.
SQuAD's evaluation is written out below, from its description.
"""
import json
import os
import random
import re
import string
from collections import Counter


from nltk.stem.porter import PorterStemmer
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from rouge_score import rouge_scorer
from scipy import stats

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "metrics")
rng = random.Random(20)
rows = []

# ---- the stemmer: words of the other file, roots with every suffix, random letters --------
stemmer = PorterStemmer()
words = set()
for line in open(os.path.join(here, "vectors.jsonl"), encoding="utf-8"):
    words |= set(re.findall("[a-z0-9]+", line.lower()))
roots = ("hop fall roll fail relat condition rat val dig conform radic differ vil analog vietnam "
         "predic operat feudal decis hope call form sensit sensib triplic electric good reviv allow "
         "infer airlin gyroscop adjust defens irrit replac depend adopt commun activ angul homolog "
         "effect bowdler prob ceas control sky die play enjoy syzyg yy a oy ay").split()
suffixes = ("s es ies ied ed eed ing y ly ational tional enci anci izer bli alli entli eli ousli "
            "ization ation ator alism iveness fulness ousness aliti iviti biliti fulli logi icate "
            "ative alize iciti ical ful ness al ance ence er ic able ible ant ement ment ent ion sion "
            "tion ou ism ate iti ous ive ize e l ll lle alalli allialli").split()
words |= {r + s for r in roots for s in suffixes}
words |= {"skies sky dying lying tying news innings inning outings canning howe proceed exceed "
          "succeed cies ties dies flies tied died cried eed feed agreed".replace("\n", " ")}
words |= {"".join(rng.choice("aeioybdlstz") for _ in range(rng.randint(1, 7))) + rng.choice(suffixes)
          for _ in range(1500)}
words = sorted({w for x in words for w in x.split()})
rows.append({"kind": "porter", "pairs": [[w, stemmer.stem(w)] for w in words]})

# ---- ROUGE: few words, many lines, empty lines, letters outside ASCII ----------------------
scorers = {k: rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL", "rougeLsum"],
                                       use_stemmer=k == "stem") for k in ("plain", "stem")}


def line(alphabet, most):
    return " ".join(rng.choice(alphabet) for _ in range(rng.randint(0, most)))


pairs = [("\u0130x \u212a2 \u017f", "i x k2 s"), ("a\u2028b\u0085c\u3000d", "a b c d"),
         ("\n\n", "a"), ("a\n\n\nb", "b\na"), (" \nab cd", "ab\n cd"), ("caf\u00e9s na\u00efve", "caf s na ve")]
for _ in range(60):
    alphabet = rng.sample(["run", "running", "cat", "cats", "the", "a", "studies", "study", "42"], rng.randint(2, 6))
    pairs.append(tuple("\n".join(line(alphabet, 7) for _ in range(rng.randint(1, 4))) for _ in range(2)))
for target, prediction in pairs:
    row = {"kind": "rouge", "target": target, "prediction": prediction}
    for k, s in scorers.items():
        row[k] = {m: [v.precision, v.recall, v.fmeasure] for m, v in s.score(target, prediction).items()}
    rows.append(row)


# ---- self-BLEU: short texts of few words, so that counts are clipped and lengths tie --------
for _ in range(12):
    texts = [[rng.choice("abc") for _ in range(rng.randint(1, 7))] for _ in range(rng.randint(2, 6))]
    bleu = {}
    for n in (2, 3, 4):
        each = [float(sentence_bleu(texts[:i] + texts[i + 1:], t, weights=(1 / n,) * n,
                                    smoothing_function=SmoothingFunction().method1))
                for i, t in enumerate(texts)]
        bleu[n] = {"each": each, "mean": sum(each) / len(each)}
    rows.append({"kind": "self_bleu", "texts": texts, "bleu": bleu})


# ---- SQuAD ---------------------------------------------------------------------------------
def normalise(text):
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def f1(gold, given):
    same = sum((Counter(gold) & Counter(given)).values())
    if not gold or not given:
        return float(gold == given)
    return 2 * same / (len(gold) + len(given))


answers = ["The Cat.", "cat", "a cat, an apple", "the-cat", "THE  \u00c9t\u00e9\u2014the sea", "the\u2014the", "", "a",
           "the_the", "an", "theatre then", "1,000.5", "10005", "it's", "its", "\u00e9t\u00e9\u2014sea", "\u00e9t\u00e9\u2014 sea",
           "a\u00b2", "the\u0301 end", "\u0663 the", "New York City", "york new", "a\u00a0b"]
for gold in answers:
    for given in answers:
        a, b = normalise(gold), normalise(given)
        rows.append({"kind": "squad", "gold": gold, "given": given, "exact": float(a == b), "f1": f1(a, b)})

# ---- correlation and area under the curve ---------------------------------------------------
for n in (2, 3, 4, 8, 16, 50):
    for levels in (2, 3, 5, 1000):
        x = [rng.randrange(levels) / 4 for _ in range(n)]
        y = [rng.randrange(levels) - v * rng.randint(0, 1) for v in x]
        rho = float(stats.spearmanr(x, y).statistic) if len(set(x)) > 1 and len(set(y)) > 1 else None
        u = float(stats.mannwhitneyu(x, y, method="asymptotic").statistic)
        rows.append({"kind": "order", "x": x, "y": y, "spearman": rho, "auroc": u / (n * n),
                     "ranks": [float(v) for v in stats.rankdata(x)]})

with open(os.path.join(here, "more.jsonl"), "w", encoding="utf-8") as f:
    for row in rows:
        f.write(json.dumps(row) + "\n")
