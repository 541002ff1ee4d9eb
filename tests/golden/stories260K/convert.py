#!/usr/bin/env python3
"""llama2.c's version 0 format as a Hugging Face directory.

    convert.py stories260K.bin build/models/stories260K

The model is karpathy/tinyllamas' stories260K (MIT).  The file is seven int32 (dim, hidden,
layers, heads, key/value heads, vocabulary, context; a negative vocabulary: the head is apart)
and float32; rows of q and k are turned in neighbouring pairs, transformers' in halves.
"""
import json, os, struct, sys

import numpy as np
from safetensors.numpy import save_file


def read(path):
    data = open(path, "rb").read()
    C, F, L, H, G, V, S = struct.unpack("<7i", data[:28])
    at, x = 0, np.frombuffer(data, dtype="<f4", offset=28)

    def take(*shape):
        nonlocal at
        n = int(np.prod(shape))
        at += n
        return x[at - n:at].reshape(shape)

    kv = C // H * G
    names = [("input_layernorm", C), ("self_attn.q_proj", C, C), ("self_attn.k_proj", kv, C),
             ("self_attn.v_proj", kv, C), ("self_attn.o_proj", C, C),
             ("post_attention_layernorm", C), ("mlp.gate_proj", F, C), ("mlp.down_proj", C, F),
             ("mlp.up_proj", F, C)]
    out = {"model.embed_tokens.weight": take(abs(V), C)}
    for name, *shape in names:
        whole = take(L, *shape)
        for l in range(L):
            w = whole[l]
            if name.endswith(("q_proj", "k_proj")):
                w = w.reshape(-1, C // H // 2, 2, C).swapaxes(1, 2).reshape(w.shape)
            out[f"model.layers.{l}.{name}.weight"] = np.ascontiguousarray(w)
    out["model.norm.weight"] = take(C)
    take(2, S, C // H // 2)  # tables of cosines and sines
    if V < 0:
        out["lm_head.weight"] = take(-V, C)
    assert at == len(x)
    return out, dict(
        model_type="llama", architectures=["LlamaForCausalLM"], vocab_size=abs(V), hidden_size=C,
        intermediate_size=F, num_hidden_layers=L, num_attention_heads=H, num_key_value_heads=G,
        max_position_embeddings=S, hidden_act="silu", rms_norm_eps=1e-5, rope_theta=10000.0,
        tie_word_embeddings=V > 0, bos_token_id=1, eos_token_id=2, torch_dtype="float32")


if __name__ == "__main__":
    tensors, config = read(sys.argv[1])
    os.makedirs(sys.argv[2])
    save_file(tensors, os.path.join(sys.argv[2], "model.safetensors"), metadata={"format": "pt"})
    with open(os.path.join(sys.argv[2], "config.json"), "w") as f:
        json.dump(config, f, indent=2)
        f.write("\n")
