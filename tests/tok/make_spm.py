#!/usr/bin/env python3
"""Makes tests/golden/tok/spm-*: small SentencePiece models, and what the tokenizers library gives
for texts when it is set up the way transformers does it; and the same models as GGUF.

    python3 tests/tok/make_spm.py TEXT.txt      (any English text, 1 MB will do)
"""
import json
import os
import random
import shutil
import sys

import gguf
import sentencepiece as sp
from sentencepiece import sentencepiece_model_pb2 as pb
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

sys.path.insert(0, os.path.dirname(__file__))
from differ import random_text  # noqa: E402  (needs our library to be built)
from make_ends import byte_ends  # noqa: E402

ROOT = "tests/golden/tok"
# A compiled normaliser with few rules: a file with nmt_nfkc has 240 kB of them.
RULES = [("\n", " "), ("\t", " "), ("\r", " "), ("\u00a0", " "), ("\u3000", " "), ("\u200b", ""), ("\ufb01", "fi"),
         ("\u00bd", "1\u20442"), ("\u2460", "1"), ("e\u0301", "\u00e9"), ("a\u0323\u0302", "\u1ead"),
         ("\uff21", "A"), ("\x07", ""), ("\u2026", "...")]


def train(name, text, **kw):
    where = f"{ROOT}/spm-{name}"
    os.makedirs(where, exist_ok=True)
    sp.SentencePieceTrainer.train(input=text, model_prefix=f"{where}/tokenizer", vocab_size=500, hard_vocab_limit=False,
                                  input_sentence_size=2000, shuffle_input_sentence=False, num_threads=1,
                                  character_coverage=0.999, minloglevel=2, **kw)
    os.remove(f"{where}/tokenizer.vocab")
    m = pb.ModelProto()
    m.ParseFromString(open(f"{where}/tokenizer.model", "rb").read())
    return where, m


def merges_of(m):
    """As transformers finds them: pairs of pieces that make a piece, best score first."""
    normal = {p.piece: (p.score, i) for i, p in enumerate(m.pieces) if p.type == 1}
    out = []
    for piece, (score, i) in normal.items():
        for k in range(1, len(piece)):
            if piece[:k] in normal and piece[k:] in normal:
                out.append((-score, i, piece[:k], piece[k:]))
    return [(a, b) for _, _, a, b in sorted(out)]


def bpe(m):
    return Tokenizer(models.BPE(vocab={p.piece: i for i, p in enumerate(m.pieces)}, merges=merges_of(m), unk_token="<unk>",
                                fuse_unk=True, byte_fallback=m.trainer_spec.byte_fallback))


def add_controls(t, m, users=True):
    t.add_tokens([AddedToken(p.piece, normalized=False, special=p.type != 4) for p in m.pieces
                  if p.type in (2, 3) or (users and p.type == 4)])


def llama(m, legacy):
    t = bpe(m)
    if legacy:
        t.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    else:
        t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    t.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(),
                                   decoders.Strip(" ", 1, 0)])
    add_controls(t, m)
    t.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return t


def gemma(m):
    t = bpe(m)
    t.normalizer = normalizers.Replace(" ", "\u2581")
    t.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    add_controls(t, m)
    t.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return t


def t5(m, extra):
    t = Tokenizer(models.Unigram([(p.piece, p.score) for p in m.pieces], unk_id=m.trainer_spec.unk_id))
    t.normalizer = normalizers.Precompiled(m.normalizer_spec.precompiled_charsmap)
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    t.decoder = decoders.Metaspace()
    add_controls(t, m)
    t.add_special_tokens([f"<extra_id_{i}>" for i in reversed(range(extra))])
    t.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", m.trainer_spec.eos_id)])
    return t


def plain(m):
    """As transformers does for a class it does not know."""
    from transformers.convert_slow_tokenizer import SpmConverter
    vocab = [(p.piece, p.score) for p in m.pieces]
    t = SpmConverter.build_tokenizer_from_spm_proto(m, vocab)
    add_controls(t, m, users=False)
    return t


EXTRA = 3  # sentinels of our T5
LIBRARY = {"spm-llama": lambda m: llama(m, True), "spm-llama-new": lambda m: llama(m, False), "spm-gemma": gemma,
           "spm-t5": lambda m: t5(m, EXTRA), "spm-plain": plain}


def library(where):
    """The library's tokenizer of one of our directories."""
    m = pb.ModelProto()
    with open(f"{where}/tokenizer.model", "rb") as f:
        m.ParseFromString(f.read())
    return LIBRARY[os.path.basename(os.path.normpath(where))](m)


def vectors(where, t):
    r = random.Random(3)
    specials = [x.content for x in t.get_added_tokens_decoder().values()]
    words = sorted(t.get_vocab())
    words = [w.replace("\u2581", " ") for w in r.sample(words, 200)]
    texts = ["", " ", "a", " a", "  two  blanks ", "\n", "Hello world", "\x07bell", "e\u0301\u200b", "<s>x</s> y", "<sep>a <sep> b"]
    texts += [random_text(r, specials, words) for _ in range(150)]
    with open(f"{where}/vectors.jsonl", "w") as out, open(f"{where}/ends.jsonl", "w") as ends:
        for text in texts:
            e = t.encode(text, add_special_tokens=False)
            v = {"text": text, "ids": e.ids, "ids_special": t.encode(text).ids,
                 "decoded": t.decode(e.ids, skip_special_tokens=False),
                 "decoded_skip": t.decode(t.encode(text).ids, skip_special_tokens=True)}
            out.write(json.dumps(v) + "\n")
            ends.write(json.dumps(byte_ends(text, [x for _, x in e.offsets]), separators=(",", ":")) + "\n")


def config(where, **kw):
    with open(f"{where}/tokenizer_config.json", "w") as f:
        json.dump(kw, f, indent=1)
        f.write("\n")


def write_gguf(path, model, tokens, types, scores=None, charsmap=None, **ids):
    w = gguf.GGUFWriter(path, "llama")
    w.add_tokenizer_model(model)
    w.add_token_list(tokens)
    if scores:
        w.add_token_scores(scores)
    w.add_token_types(types)
    if charsmap:
        w.add_precompiled_charsmap(charsmap)
    for k, v in ids.items():
        w.add_uint32(f"tokenizer.ggml.{k}_token_id", v)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def write_spm_gguf(where, model, m, more=()):
    write_gguf(f"{where}/model.gguf", model, [p.piece for p in m.pieces] + list(more),
               [p.type for p in m.pieces] + [3 for _ in more], [p.score for p in m.pieces] + [0.0 for _ in more], bytes(m.normalizer_spec.precompiled_charsmap) or None,
               bos=m.trainer_spec.bos_id if m.trainer_spec.bos_id >= 0 else 1, eos=m.trainer_spec.eos_id,
               unknown=m.trainer_spec.unk_id)


def write_bert_gguf():
    """BERT's vocabulary the way llama.cpp marks it."""
    vocab = json.load(open(f"{ROOT}/wordpiece/tokenizer.json"))["model"]["vocab"]
    names = sorted(vocab, key=vocab.get)
    control = [n.startswith("[") and n.endswith("]") and len(n) > 2 for n in names]
    tokens = [n if c else n[2:] if n.startswith("##") else "\u2581" + n for n, c in zip(names, control)]
    write_gguf(f"{ROOT}/wordpiece/model.gguf", "bert", tokens, [3 if c else 1 for c in control], unknown=1, cls=2,
               seperator=3, bos=2, eos=3)


def main():
    text = sys.argv[1]
    with open("/tmp/rules.tsv", "w") as f:
        for a, b in RULES:
            f.write(" ".join(f"{ord(c):X}" for c in a) + "\t" + " ".join(f"{ord(c):X}" for c in b) + "\n")
    where, m = train("llama", text, model_type="bpe", byte_fallback=True, normalization_rule_name="identity",
                     remove_extra_whitespaces=False, user_defined_symbols=["<sep>"])
    config(where, tokenizer_class="LlamaTokenizer", bos_token="<s>", eos_token="</s>")
    vectors(where, llama(m, True))
    write_spm_gguf(where, "llama", m)
    for name, legacy, t, kw in [("llama-new", False, llama(m, False), {"tokenizer_class": "LlamaTokenizerFast", "legacy": False}),
                                ("gemma", None, gemma(m), {"tokenizer_class": "GemmaTokenizer"})]:
        there = f"{ROOT}/spm-{name}"
        os.makedirs(there, exist_ok=True)
        shutil.copy(f"{where}/tokenizer.model", there)
        config(there, bos_token="<s>", eos_token="</s>", **kw)
        vectors(there, t)
    where, m = train("t5", text, model_type="unigram", normalization_rule_tsv="/tmp/rules.tsv", pad_id=0, eos_id=1,
                     unk_id=2, bos_id=-1)
    config(where, tokenizer_class="T5Tokenizer", extra_ids=EXTRA, eos_token="</s>")
    vectors(where, t5(m, EXTRA))
    write_spm_gguf(where, "t5", m, [f"<extra_id_{i}>" for i in reversed(range(EXTRA))])
    where, m = train("plain", text, model_type="unigram", normalization_rule_tsv="/tmp/rules.tsv", byte_fallback=True,
                     user_defined_symbols=["<sep>", "||"])
    vectors(where, plain(m))
    write_bert_gguf()


if __name__ == "__main__":
    main()
