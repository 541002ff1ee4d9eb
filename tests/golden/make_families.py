#!/usr/bin/env python3
"""Golden data of model families and rope scalings, from torch and transformers.

    make_families.py [NAME ...]     writes tests/golden/NAME/, rope/ and gguf-families/

Weights are random floats; the expected numbers are computed in float64 from the stored
weights and rounded to float32.  Names and shapes of tensors are those of the other golden
directories: sN.hidden.l, sN.norm, sN.logits, sN.attn.l, sN.logp_*, sN.ent_*, sN.loss,
sN.greedy, loss, grad.NAME, adam.loss, adam.gnorm, adam.stat.NAME.  Made with torch 2.13
and transformers 5.23; the same numbers come out each time.
"""
import json, math, os, shutil, sys

os.environ["HF_HUB_OFFLINE"] = "1"
import gguf
import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch.overrides import TorchFunctionMode
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
HERE = os.path.dirname(os.path.abspath(__file__))

LLAMA = dict(vocab_size=61, hidden_size=24, intermediate_size=36, num_hidden_layers=2,
             num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
             hidden_act="silu", rms_norm_eps=1e-6, rope_theta=10000.0, attention_dropout=0.0,
             tie_word_embeddings=False, bos_token_id=1, eos_token_id=2, torch_dtype="float32")
GEMMA3 = dict(LLAMA, model_type="gemma3_text", architectures=["Gemma3ForCausalLM"],
              num_hidden_layers=3, num_key_value_heads=1, head_dim=10,
              hidden_activation="gelu_pytorch_tanh", sliding_window=3,
              query_pre_attn_scalar=12, tie_word_embeddings=True,
              layer_types=["full_attention", "sliding_attention", "full_attention"],
              rope_parameters={
                  "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
                  "sliding_attention": {"rope_type": "default", "rope_theta": 2000.0}})
del GEMMA3["rope_theta"]

FAMILIES = {
    "gemma-tiny": dict(LLAMA, model_type="gemma", architectures=["GemmaForCausalLM"], head_dim=10,
                       hidden_act="gelu", hidden_activation=None, tie_word_embeddings=True),
    "olmo2-tiny": dict(LLAMA, model_type="olmo2", architectures=["Olmo2ForCausalLM"],
                       rope_theta=500000.0, attention_bias=False),
    "phi3-tiny": dict(LLAMA, model_type="phi3", architectures=["Phi3ForCausalLM"], hidden_size=32,
                      num_key_value_heads=1, partial_rotary_factor=0.75, sliding_window=None,
                      max_position_embeddings=256, original_max_position_embeddings=32,
                      rope_scaling={"type": "longrope", "short_factor": [1.0, 1.25, 1.5],
                                    "long_factor": [1.0, 4.0, 8.0]}, resid_pdrop=0.0,
                      embd_pdrop=0.0, pad_token_id=0),
    # a window, biases everywhere
    "starcoder2-tiny": dict({k: v for k, v in LLAMA.items() if k not in ("rms_norm_eps", "tie_word_embeddings")},
                            model_type="starcoder2", architectures=["Starcoder2ForCausalLM"],
                            hidden_act="gelu_pytorch_tanh", norm_epsilon=1e-3, use_bias=True,
                            sliding_window=5, residual_dropout=0.0, embedding_dropout=0.0,
                            rope_theta=100000.0),
    # two of eight dimensions turned, as without the key
    "stablelm-tiny": dict({k: v for k, v in LLAMA.items() if k != "rms_norm_eps"},
                          model_type="stablelm", architectures=["StableLmForCausalLM"],
                          hidden_size=32, layer_norm_eps=1e-3, use_qkv_bias=True,
                          hidden_dropout=0.0),
    "granite-tiny": dict(LLAMA, model_type="granite", architectures=["GraniteForCausalLM"],
                         embedding_multiplier=3.0, residual_multiplier=0.6,
                         attention_multiplier=0.3, logits_scaling=1.7, attention_bias=True),
    # windows from layer 1 on, yarn with everything said
    "qwen2-yarn-tiny": dict(LLAMA, model_type="qwen2", architectures=["Qwen2ForCausalLM"],
                            use_sliding_window=True, sliding_window=3, max_window_layers=1,
                            max_position_embeddings=128,
                            rope_scaling={"rope_type": "yarn", "factor": 4.0, "beta_fast": 8.0,
                                          "beta_slow": 2.0, "original_max_position_embeddings": 32}),
    "gptneox-seq-tiny": dict(model_type="gpt_neox", architectures=["GPTNeoXForCausalLM"],
                             vocab_size=61, hidden_size=32, intermediate_size=40,
                             num_hidden_layers=2, num_attention_heads=4, hidden_act="gelu",
                             max_position_embeddings=64, layer_norm_eps=1e-5, rotary_pct=0.25,
                             rotary_emb_base=10000, use_parallel_residual=False,
                             rope_scaling={"type": "linear", "factor": 2.0},
                             attention_dropout=0.0, hidden_dropout=0.0, bos_token_id=0,
                             eos_token_id=0, torch_dtype="float32"),
    "gemma3-kinds-tiny": GEMMA3,
    # 8 positions, and beyond them one token after the other with a cache
    "llama-dynamic-tiny": dict(LLAMA, model_type="llama", architectures=["LlamaForCausalLM"],
                               max_position_embeddings=8,
                               rope_scaling={"type": "dynamic", "factor": 4.0}),
}


class Double(TorchFunctionMode):
    """What a model computes in float32 on purpose (norms, softmax, rope): in float64."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        wide = lambda x: torch.float64 if x is torch.float32 else x
        if func is torch.Tensor.float:
            return args[0].double()
        return func(*[wide(x) for x in args], **{k: wide(v) for k, v in (kwargs or {}).items()})


def widen(model):
    """The model in float64; frequencies and scales made again rather than converted."""
    model = model.double().eval()
    for part in list(model.modules()):
        names = [n for n, _ in part.named_buffers(recurse=False)]
        if any(n.endswith("inv_freq") for n in names):
            with Double():
                fresh = type(part)(config=part.config)
            for n in names:
                assert torch.allclose(getattr(fresh, n), getattr(part, n), rtol=1e-6)
                setattr(part, n, getattr(fresh, n))
            if hasattr(part, "original_inv_freq"):
                part.original_inv_freq = fresh.inv_freq.clone()
        if "embed_scale" in names:
            part.embed_scale = torch.tensor(math.sqrt(part.embedding_dim), dtype=torch.float64)
    return model


def fill(model, rng):
    """Attention is peaked and logits are spread, so that faults show."""
    plus_one = model.config.model_type.startswith("gemma")
    d = model.config.hidden_size
    with torch.no_grad():
        for name, p in model.named_parameters():
            n = torch.tensor(rng.standard_normal(tuple(p.shape)))
            if p.ndim == 1 and name.endswith("weight"):
                n = 0.2 * n + (0 if plus_one else 1)
            elif p.ndim == 1:
                n = 0.15 * n
            elif "embed" in name or "lm_head" in name:
                n = 2.5 / math.sqrt(d) * n
            else:
                n = (1.7 if "q" in name.split(".")[-2] else 1.1) / math.sqrt(p.shape[1]) * n
            p.copy_(n.to(p.dtype))


def run(model, ids, cached):
    """Logits, and what else a forward pass shows."""
    if not cached:
        return model(input_ids=torch.tensor([ids]), use_cache=False, output_attentions=True,
                     output_hidden_states=True)
    cache, logits = transformers.DynamicCache(), []
    for t, token in enumerate(ids):
        out = model(input_ids=torch.tensor([[token]]), past_key_values=cache, use_cache=True,
                    position_ids=torch.tensor([[t]]))
        logits.append(out.logits[:, -1])
    out.logits = torch.stack(logits, 1)
    return out


def parts(model):
    body = model.base_model
    return body.layers, getattr(body, "norm", None) or body.final_layer_norm


def taps(model, into):
    """Hooks that keep what enters and leaves the layers; returns their handles."""
    layers, norm = parts(model)
    first = lambda x: x[0] if isinstance(x, tuple) else x
    keep = lambda name: lambda mod, args, out: into.__setitem__(name, first(out)[0].detach())
    enter = lambda mod, args, kwargs: into.__setitem__(
        "hidden.0", (args[0] if args else kwargs["hidden_states"])[0].detach())
    handles = [layers[0].register_forward_pre_hook(enter, with_kwargs=True)]
    handles += [l.register_forward_hook(keep(f"hidden.{i + 1}")) for i, l in enumerate(layers)]
    return handles + [norm.register_forward_hook(keep("norm"))]


def logp_entropy(logits, ids, temperature):
    lp = torch.log_softmax(logits[:-1] / temperature, -1)
    return lp[range(len(ids) - 1), ids[1:]], -(lp.exp() * lp).sum(-1)


def one(model, ids, cached):
    seen = {}
    handles = [] if cached else taps(model, seen)
    out = run(model, ids, cached)
    for h in handles:
        h.remove()
    seen["logits"] = out.logits[0]
    if not cached:
        seen.update({f"attn.{i}": a[0] for i, a in enumerate(out.attentions)})
    for t, name in ((0.7, "t07"), (1.0, "t10")):
        seen["logp_" + name], seen["ent_" + name] = logp_entropy(out.logits[0], ids, t)
    seen["loss"] = -seen["logp_t10"].mean()
    return seen


def greedy(model, ids, n, cached):
    ids, margins = list(ids), []
    for _ in range(n):
        z = run(model, ids, cached).logits[0, -1]
        top = z.topk(2).values
        margins.append(float(top[0] - top[1]))
        ids.append(int(z.argmax()))
    return ids[-n:], margins


def loss_of(model, seqs):
    total = sum(logp_entropy(run(model, s, False).logits[0], s, 1.0)[0].sum() for s in seqs)
    return -total / sum(len(s) - 1 for s in seqs)


def gradients(model, seqs):
    out, params = {}, dict(model.named_parameters())
    loss = loss_of(model, seqs)
    loss.backward()
    out["loss"] = loss.detach()
    out.update({f"grad.{k}": p.grad.clone() for k, p in params.items()})
    opt = torch.optim.AdamW(params.values(), lr=1e-3, betas=(0.9, 0.95), eps=1e-8,
                            weight_decay=0.1, foreach=False)
    losses, norms = [], []
    for _ in range(3):
        opt.zero_grad()
        loss = loss_of(model, seqs)
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(params.values(), 1.0)))
        losses.append(float(loss))
        opt.step()
    with torch.no_grad():
        losses.append(float(loss_of(model, seqs)))
    out["adam.loss"], out["adam.gnorm"] = torch.tensor(losses), torch.tensor(norms)
    for k, p in params.items():
        w = p.detach()
        out[f"adam.stat.{k}"] = torch.stack([w.mean(), (w * w).mean().sqrt(), w.flatten()[0],
                                             w.flatten()[-1]])
    return out


def family(name, config):
    rng = np.random.default_rng([ord(c) for c in name])
    cached = "dynamic" in name
    at = os.path.join(HERE, name)
    shutil.rmtree(at, ignore_errors=True)
    os.makedirs(at)
    with open(os.path.join(at, "config.json"), "w") as f:
        json.dump(config, f, indent=2, sort_keys=True)
        f.write("\n")
    made = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(at))
    fill(made, rng)
    state = {k: p.detach().float().contiguous() for k, p in made.named_parameters()}
    save_file(state, os.path.join(at, "model.safetensors"), metadata={"format": "pt"})
    model = widen(AutoModelForCausalLM.from_pretrained(
        at, attn_implementation="eager", dtype=torch.float32))
    out = {}
    with Double():
        while True:  # prompts whose greedy choice is never a near tie
            seqs = [[int(x) for x in rng.integers(3, config["vocab_size"], n)] for n in (11, 7)]
            with torch.no_grad():
                drawn = [greedy(model, s, 16, cached) for s in seqs]
            if min(min(m) for _, m in drawn) > 0.02:
                break
        for i, s in enumerate(seqs):
            with torch.no_grad():
                out.update({f"s{i}.{k}": v for k, v in one(model, s, cached).items()})
            out[f"s{i}.input_ids"] = torch.tensor(s, dtype=torch.int32)
            out[f"s{i}.greedy"] = torch.tensor(drawn[i][0], dtype=torch.int32)
            out[f"s{i}.greedy_margin"] = torch.tensor(drawn[i][1])
        if not cached:
            out.update(gradients(model, seqs))
    store = {k: v.detach().to(v.dtype if v.dtype == torch.int32 else torch.float32).contiguous()
             for k, v in out.items()}
    save_file(store, os.path.join(at, "expected.safetensors"),
              metadata={"reference": "float64, rounded to float32"})
    print(name, sum(p.numel() for p in model.parameters()), "parameters")


def ropes():
    """config.json as it stands in files, with the frequencies and the factor it means."""
    base = dict(LLAMA, model_type="llama", hidden_size=64, max_position_embeddings=4096)
    wide = dict(base, head_dim=64, rope_theta=500000.0, max_position_embeddings=131072)
    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024}
    cases = [
        base, dict(base, rope_scaling={"type": "linear", "factor": 2.5}),
        dict(base, rope_scaling={"rope_type": "dynamic", "factor": 2.0}),
        dict(wide, rope_scaling={"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                 "high_freq_factor": 4.0,
                                 "original_max_position_embeddings": 8192}),
        dict(base, rope_scaling=yarn), dict(wide, rope_scaling=yarn),
        dict(wide, rope_scaling=dict(yarn, truncate=False)),
        dict(wide, rope_scaling=dict(yarn, attention_factor=1.75)),
        dict(wide, rope_scaling=dict(yarn, mscale=1.0, mscale_all_dim=0.5)),
        dict(wide, rope_scaling=dict(yarn, mscale=1.0)),
        dict(wide, rope_scaling=dict(yarn, beta_fast=16.0, beta_slow=4.0, factor=32.0)),
        dict(wide, rope_scaling={"rope_type": "yarn", "factor": 2.0}),
        dict(base, rope_scaling={"rope_type": "longrope", "factor": 4.0,
                                 "short_factor": [1 + i / 8 for i in range(8)],
                                 "long_factor": [2 + i for i in range(8)],
                                 "original_max_position_embeddings": 1024}),
    ]
    del cases[0]["rope_theta"]
    out = []
    for c in cases:
        config = AutoConfig.for_model(**json.loads(json.dumps(c)))
        kind = config.rope_parameters["rope_type"]
        with Double():
            if kind == "default":
                R = config.head_dim
                f, gain = 10000.0 ** (-torch.arange(0, R, 2).double() / R), 1.0
            else:
                f, gain = ROPE_INIT_FUNCTIONS[kind](config, "cpu")
        assert f.dtype == torch.float64
        out.append({"config": c, "freq": f.tolist(), "gain": float(gain)})
    os.makedirs(os.path.join(HERE, "rope"), exist_ok=True)
    with open(os.path.join(HERE, "rope", "expected.json"), "w") as f:
        f.write("[" + ",\n".join(json.dumps(x, sort_keys=True) for x in out) + "]\n")


# GGUF files as llama.cpp's converter writes them: the directory each comes from, and what
# is changed in its config where the format implies it.
GGUF = {
    "qwen3-tiny": {}, "gptneox-tiny": {}, "gptneox-seq-tiny": {"rope_scaling": None},
    "gemma-tiny": {}, "olmo2-tiny": {}, "phi3-tiny": {},
    "gemma2-tiny": {"query_pre_attn_scalar": 12},
    "gemma3-tiny": {"query_pre_attn_scalar": 12, "sliding_window_pattern": 6},
}


def keys(w, c):
    """The metadata that the converter writes for these families."""
    neox = c["model_type"] == "gpt_neox"
    w.add_context_length(c["max_position_embeddings"])
    w.add_embedding_length(c["hidden_size"])
    w.add_block_count(c["num_hidden_layers"])
    w.add_feed_forward_length(c["intermediate_size"])
    w.add_head_count(c["num_attention_heads"])
    if neox:
        w.add_rope_dimension_count(
            int(c["rotary_pct"] * (c["hidden_size"] // c["num_attention_heads"])))
        w.add_parallel_residual(c["use_parallel_residual"])
        w.add_layer_norm_eps(c["layer_norm_eps"])
        return
    w.add_head_count_kv(c["num_key_value_heads"])
    w.add_layer_norm_rms_eps(c["rms_norm_eps"])
    if c["model_type"] == "phi3":
        longrope(w, c)
    if "head_dim" in c:
        w.add_key_length(c["head_dim"])
        w.add_value_length(c["head_dim"])
    if not c["model_type"] in ("gemma", "gemma2"):
        w.add_rope_freq_base(c.get("rope_theta") or c["rope_parameters"]["rope_theta"])
    if c["model_type"] == "gemma2":
        w.add_attn_logit_softcapping(c["attn_logit_softcapping"])
        w.add_final_logit_softcapping(c["final_logit_softcapping"])
    if c["model_type"] in ("gemma2", "gemma3_text"):
        w.add_sliding_window(c["sliding_window"])


def longrope(w, c):
    """Of the prompt's length only the short factors are used; the long ones are there."""
    grown = c["max_position_embeddings"] / c["original_max_position_embeddings"]
    w.add_rope_scaling_orig_ctx_len(c["original_max_position_embeddings"])
    w.add_rope_scaling_attn_factors(
        math.sqrt(1 + math.log(grown) / math.log(c["original_max_position_embeddings"])))
    w.add_rope_dimension_count(
        int(c["partial_rotary_factor"] * c["hidden_size"]) // c["num_attention_heads"])
    w.add_sliding_window(c["sliding_window"] or 0)
    for which in ("long", "short"):
        w.add_tensor(f"rope_factors_{which}.weight",
                     np.array(c["rope_scaling"][which + "_factor"], dtype=np.float32))


def theirs(name, x, c):
    if c["model_type"].startswith("gemma") and name.endswith("norm.weight"):
        return x + 1
    if "query_key_value" in name:
        H = c["num_attention_heads"]
        return x.reshape(H, 3, -1, *x.shape[1:]).transpose(0, 1).reshape(x.shape)
    return x


def gguf_of(name, changes, store, out):
    src = os.path.join(HERE, name)
    config = json.load(open(os.path.join(src, "config.json")))
    config.update(changes)
    arch = {"gpt_neox": "gptneox", "gemma3_text": "gemma3"}.get(config["model_type"],
                                                               config["model_type"])
    which = next(k for k, v in gguf.MODEL_ARCH_NAMES.items() if v == arch)
    names = gguf.get_tensor_name_map(which, config["num_hidden_layers"])
    state = load_file(os.path.join(src, "model.safetensors"))
    w = gguf.GGUFWriter(os.path.join(out, name + ".gguf"), arch)
    keys(w, config)
    for k, x in state.items():
        w.add_tensor(names.get_name(k, try_suffixes=(".weight", ".bias")),
                     theirs(k, x, config).contiguous().numpy())
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    with torch.no_grad(), Double():
        c = dict(config)
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**c),
                                                 attn_implementation="eager")
    state = {k.replace("embed_out", "lm_head"): v for k, v in state.items()}
    left = model.load_state_dict(state, strict=False)
    assert not left.unexpected_keys and set(left.missing_keys) <= {"lm_head.weight"}, left
    model.tie_weights()
    model = widen(model.float())
    ids = [int(x) for x in np.random.default_rng(7).integers(3, config["vocab_size"], 12)]
    with torch.no_grad(), Double():
        logits = run(model, ids, False).logits[0]
    store[name + ".logits"] = logits.float().contiguous()
    store[name + ".input_ids"] = torch.tensor(ids, dtype=torch.int32)


def ggufs():
    out, store = os.path.join(HERE, "gguf-families"), {}
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    for name, changes in GGUF.items():
        gguf_of(name, changes, store, out)
    save_file(store, os.path.join(out, "expected.safetensors"),
              metadata={"reference": "float64, rounded to float32"})


def main():
    names = sys.argv[1:] or list(FAMILIES) + ["rope", "gguf"]
    for name in names:
        if name in ("rope", "gguf"):
            (ropes if name == "rope" else ggufs)()
        else:
            family(name, FAMILIES[name])


if __name__ == "__main__":
    main()
