#!/usr/bin/env python3
"""Golden data of encoders, from torch and transformers, as make_families.py makes the others.

    make_bert.py [SEED [DIR]]     writes bert-tiny and bert-f16 to tests/golden, or to DIR

Expected, for two sequences: sN.input_ids, sN.hidden.l (l = 0: embedded and normed), sN.attn.l
(H, T, T), sN.pool.MODE (length 1) by each way of pooling; in bert-tiny sN.d (T, C), loss =
sum over both of d * hidden.L, and grad.NAME.  bert-f16 is stored as the first published BERT
is: half of it here, names with "bert.", gamma and beta, heads of pre-training, position_ids.
"""
import json, os, shutil, sys

from make_families import Double, HERE, fill, widen
import numpy as np
import torch
from safetensors.torch import save_file
from transformers import AutoConfig, BertForPreTraining, BertModel

CONFIG = dict(model_type="bert", architectures=["BertModel"], vocab_size=67, hidden_size=24,
              num_hidden_layers=3, num_attention_heads=3, intermediate_size=44,
              max_position_embeddings=40, type_vocab_size=2, hidden_act="gelu",
              layer_norm_eps=1e-12, pad_token_id=0, hidden_dropout_prob=0.0,
              attention_probs_dropout_prob=0.0, torch_dtype="float32")
MODELS = {
    "bert-tiny": CONFIG,
    "bert-f16": dict(CONFIG, architectures=["BertForPreTraining"], num_hidden_layers=2,
                     num_attention_heads=4, intermediate_size=52, type_vocab_size=3,
                     hidden_act="gelu_new", layer_norm_eps=1e-6, torch_dtype="float16"),
}


def pooled(h):
    """As sentence_transformers' Pooling and Normalize do."""
    w = torch.arange(1, len(h) + 1, dtype=h.dtype)[:, None]
    ways = {"mean": h.mean(0), "cls": h[0], "max": h.max(0).values, "lasttoken": h[-1],
            "mean_sqrt_len_tokens": h.sum(0) / len(h) ** 0.5,
            "weightedmean": (w * h).sum(0) / w.sum()}
    return {k: torch.nn.functional.normalize(v, dim=0) for k, v in ways.items()}


def old_names(state):
    out = {k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias",
                                                                    "LayerNorm.beta"): v
           for k, v in state.items() if k != "cls.predictions.decoder.weight"}
    out["bert.embeddings.position_ids"] = torch.arange(40)[None]
    return out


def run(model, ids):
    out = model(input_ids=torch.tensor([ids]), output_hidden_states=True, output_attentions=True)
    seen = {f"hidden.{i}": h[0] for i, h in enumerate(out.hidden_states)}
    seen.update({f"attn.{i}": a[0] for i, a in enumerate(out.attentions)})
    seen.update({f"pool.{k}": v for k, v in pooled(seen[f"hidden.{len(out.attentions)}"]).items()})
    return seen


def gradients(model, seqs, d):
    last = f"hidden.{model.config.num_hidden_layers}"
    loss = sum((w * run(model, s)[last]).sum() for s, w in zip(seqs, d))
    loss.backward()
    out = {f"s{i}.d": w for i, w in enumerate(d)}
    out.update({f"grad.{k}": p.grad for k, p in model.named_parameters() if p.grad is not None})
    return dict(out, loss=loss.detach())


def make(name, config, seed, to):
    rng = np.random.default_rng([seed] + [ord(c) for c in name])
    at = os.path.join(to, name)
    shutil.rmtree(at, ignore_errors=True)
    os.makedirs(at)
    with open(os.path.join(at, "config.json"), "w") as f:
        json.dump(config, f, indent=2, sort_keys=True)
        f.write("\n")
    old = config["architectures"] == ["BertForPreTraining"]
    made = (BertForPreTraining if old else BertModel)(AutoConfig.from_pretrained(at))
    fill(made, rng)
    state = {k: p.detach().to(getattr(torch, config["torch_dtype"])).contiguous()
             for k, p in made.state_dict().items() if p.is_floating_point()}
    made.load_state_dict(state, strict=False)
    bare = made.bert if old else made
    save_file(old_names(state) if old else state, os.path.join(at, "model.safetensors"),
              metadata={"format": "pt"})
    bare.set_attn_implementation("eager")
    model, out = widen(bare), {}
    seqs = [[int(x) for x in rng.integers(3, config["vocab_size"], n)] for n in (11, 7)]
    seqs[1][4] = config["pad_token_id"]
    with Double():
        for i, s in enumerate(seqs):
            with torch.no_grad():
                out.update({f"s{i}.{k}": v for k, v in run(model, s).items()})
            out[f"s{i}.input_ids"] = torch.tensor(s, dtype=torch.int32)
        if not old:
            d = [torch.tensor(rng.standard_normal((len(s), config["hidden_size"]))) for s in seqs]
            out.update(gradients(model, seqs, d))
    save_file({k: v.detach().to(v.dtype if v.dtype == torch.int32 else torch.float32).contiguous()
               for k, v in out.items()}, os.path.join(at, "expected.safetensors"),
              metadata={"reference": "float64, rounded to float32"})
    print(name, sum(p.numel() for p in model.parameters()), "parameters")


if __name__ == "__main__":
    for name, config in MODELS.items():
        make(name, config, int(sys.argv[1]) if sys.argv[1:] else 1,
             sys.argv[2] if sys.argv[2:] else HERE)
