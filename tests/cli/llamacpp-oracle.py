"""What llama.cpp makes of our GGUF files: llamacpp-oracle.py < lines of JSON.

{"file": ..., "name": ..., "prompt_ids": [...], "ids": [...], "text": ...}
    loads; continues prompt_ids greedily with ids, in float32.  With "lora": with that
    adapter's file.  With "raw": its tokenizer makes prompt_ids of that text.
{"file": ..., "name": ..., "quantise": TYPE, "as": FILE}
    llama.cpp's own quantiser makes the same tensors of TYPE out of `file` as are in FILE.

Prints one line for each name: how many are right, or what differs.
"""
import ctypes, json, os, sys
import llama_cpp as L
import numpy as np

quiet = L.llama_log_callback(lambda level, text, data: None)
L.llama_log_set(quiet, ctypes.c_void_p(0))
L.llama_backend_init()
loaded = {}


def use_lora(ctx, model, path):
    adapter = L.llama_adapter_lora_init(model, path.encode())
    if not adapter:
        raise SystemExit("%s: llama.cpp cannot load it" % path)
    if hasattr(L, "llama_set_adapters_lora"):
        rc = L.llama_set_adapters_lora(ctx, (L.llama_adapter_lora_p_ctypes * 1)(adapter), 1, (ctypes.c_float * 1)(1))
    else:
        rc = L.llama_set_adapter_lora(ctx, adapter, 1)
    if rc != 0:
        raise SystemExit("%s: llama.cpp cannot use it" % path)


def load(path, lora=None):
    if (path, lora) not in loaded:
        for ctx, model in loaded.values():
            L.llama_free(ctx)
            L.llama_model_free(model)
        loaded.clear()
        p = L.llama_model_default_params()
        p.n_gpu_layers = 0
        model = L.llama_model_load_from_file(path.encode(), p)
        if not model:
            raise SystemExit("%s: llama.cpp cannot load it" % path)
        c = L.llama_context_default_params()
        c.n_ctx, c.n_batch, c.n_threads, c.n_threads_batch = 512, 512, 1, 1
        c.type_k = c.type_v = 0  # float32
        if hasattr(c, "flash_attn_type"):
            c.flash_attn_type = 0
        ctx = L.llama_init_from_model(model, c)
        if lora:
            use_lora(ctx, model, lora)
        loaded[path, lora] = ctx, model
    return loaded[path, lora]


def forget(ctx):
    try:
        L.llama_memory_clear(L.llama_get_memory(ctx), True)
    except AttributeError:
        L.llama_kv_self_clear(ctx)


def feed_to(step, ctx, tokens):
    """1 if llama_encode or llama_decode took them."""
    array = (L.llama_token * len(tokens))(*tokens)  # lives until the step is done
    return step(ctx, L.llama_batch_get_one(array, len(tokens))) == 0


def prefix(ctx, model, prompt):
    """What decoding begins with: the prompt, or behind an encoder that reads it, its start."""
    if not L.llama_model_has_encoder(model):
        return prompt
    if not feed_to(L.llama_encode, ctx, prompt):
        raise SystemExit("llama.cpp cannot encode %s" % prompt)
    return [L.llama_model_decoder_start_token(model)]


def next_token(ctx, tokens, n_vocab):
    if not feed_to(L.llama_decode, ctx, tokens):
        return None
    logits = np.ctypeslib.as_array(L.llama_get_logits_ith(ctx, -1), (n_vocab,))
    return int(logits.argmax()) if np.isfinite(logits).all() else None


def check_greedy(r):
    ctx, model = load(r["file"], r.get("lora"))
    vocab = L.llama_model_get_vocab(model)
    n, got = L.llama_vocab_n_tokens(vocab), []
    forget(ctx)
    feed = prefix(ctx, model, r["prompt_ids"])
    for _ in r["ids"]:
        feed = [next_token(ctx, feed, n)]
        got += feed
        if got[-1] is None:
            break
    return [] if got == r["ids"] else ["%s continue with %s, not %s" % (r["prompt_ids"], got, r["ids"])]


def check_tokenizer(r):
    vocab = L.llama_model_get_vocab(load(r["file"])[1])
    text = r["raw"].encode()
    room = (L.llama_token * (len(text) + 8))()
    n = L.llama_tokenize(vocab, text, len(text), room, len(room), True, True)
    ids = list(room[:max(n, 0)])
    return [] if ids == r["prompt_ids"] else ["%r: ids %s, not %s" % (r["raw"], ids, r["prompt_ids"])]


def check_quantise(r):
    from gguf import GGUFReader
    types = {"q8_0": 7, "q4_0": 2}
    p = L.llama_model_quantize_default_params()
    p.ftype, p.nthread, p.pure = types[r["quantise"]], 1, True
    out = r["file"] + ".theirs"
    if L.llama_model_quantize(r["file"].encode(), out.encode(), ctypes.byref(p)) != 0:
        return ["llama.cpp cannot quantise it"]
    theirs = {t.name: t for t in GGUFReader(out).tensors}
    ours = {t.name: t for t in GGUFReader(r["as"]).tensors}
    os.remove(out)
    faults = [] if sorted(ours) == sorted(theirs) else ["other tensors"]
    for name, t in ours.items():
        if t.tensor_type != theirs[name].tensor_type:
            continue
        a, b = (x.view(np.uint8).astype(int) for x in (t.data, theirs[name].data))
        # Q4_0 rounds x / d + 8.5 with or without a fused multiply-add, as its compiler likes; ours
        # and the gguf package's are fused.  So one in ten thousand may be a step away.
        near = np.maximum(abs((a & 15) - (b & 15)), abs((a >> 4) - (b >> 4))) <= 1
        few = r["quantise"] == "q4_0" and (a != b).mean() < 1e-4 and near.all()
        if (a != b).any() and not few:
            faults.append("%s: %d of %d bytes differ" % (name, (a != b).sum(), a.size))
    return faults


results, asked = {}, {}
for line in sys.stdin:
    r = json.loads(line)
    faults = check_quantise(r) if "quantise" in r else check_greedy(r)
    if "raw" in r:
        faults += check_tokenizer(r)
    results.setdefault(r["name"], []).extend(faults)
    asked[r["name"]] = asked.get(r["name"], 0) + 1
for name, faults in results.items():
    print("%s: %s" % (name, "; ".join(faults[:5]) if faults else "%d ok" % asked[name]))
