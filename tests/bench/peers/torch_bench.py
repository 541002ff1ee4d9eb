"""The works of tests/bench/model.c by transformers and PyTorch:
    torch_bench.py -m DIRECTORY [-j THREADS] [-n TIMES] [--dtype f32|bf16] WORK

decode*   model.generate with its key/value cache, sampling at temperature 1; prompts are
          repeated, one row for each candidate, as generate wants them.  -attn: with eager
          attention and output_attentions
score*    a forward pass with output_attentions (eager), logits of the responses' rows
          only, their log-probabilities, and the mean over the upper layers' heads
train     forward, backward, gradient norm, AdamW; bf16 is autocast over float32 weights
adamw     AdamW alone (foreach, PyTorch's default on a CPU); units are bytes as model.c
          counts them
start     loads, draws one token and ends: to be timed from outside
Attention is sdpa where no attention is asked for: transformers' default.
"""
import contextlib
import os

import torch

from common import Shape, arguments, measure


def load(o):
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    eager = o.work.endswith("-attn") or o.work.startswith("score")
    half = o.dtype == "bf16" and o.work not in ("train", "adamw")
    model = AutoModelForCausalLM.from_pretrained(
        o.model, dtype=torch.bfloat16 if half else torch.float32,
        attn_implementation="eager" if eager else "sdpa")
    return model.eval()


def decode(model, s, o):
    ids = torch.tensor(s.prompts())
    attn = o.work.endswith("-attn")
    n = s.groups * s.cands * s.T

    def run():
        with torch.inference_mode():
            out = model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=True,
                temperature=1.0, top_k=0, top_p=1.0, min_new_tokens=s.T, max_new_tokens=s.T,
                output_attentions=attn, return_dict_in_generate=attn, pad_token_id=0)
        assert (out.sequences if attn else out).shape[1] == s.P + s.T
        return n

    return run


def score(model, s, o):
    ids = torch.tensor(s.wholes())

    def run():
        with torch.inference_mode():
            out = model(input_ids=ids, output_attentions=True, use_cache=False,
                        logits_to_keep=s.T + 1)
            logp = torch.log_softmax(out.logits[:, :-1].float(), -1)
            logp = logp.gather(2, ids[:, s.P:, None])
            upper = out.attentions[len(out.attentions) // 2:]
            rows = sum(a[:, :, s.P - 1:-1, :s.P].mean(1) for a in upper) / len(upper)
            assert logp.shape[1] == rows.shape[1] == s.T
        return ids.numel()

    return run


def adamw(model):
    return torch.optim.AdamW(model.parameters(), lr=1e-6, betas=(0.9, 0.95),
                             eps=1e-8, weight_decay=0.0)


def train(model, s, o):
    ids = torch.tensor(s.wholes())
    half = torch.autocast("cpu", torch.bfloat16) if o.dtype == "bf16" else contextlib.nullcontext()
    optimizer = adamw(model.train())

    def run():
        optimizer.zero_grad(set_to_none=True)
        with half:
            loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return ids.numel()

    return run


def optimize(model, s, o):
    optimizer = adamw(model)
    for p in model.parameters():
        p.grad = torch.full_like(p, 1e-3)
    n = sum(p.numel() for p in model.parameters())

    def run():
        optimizer.step()
        return 7 * 4 * n

    return run


def main():
    o = arguments(__doc__)
    torch.set_num_threads(o.threads)
    model = load(o)
    s = Shape(o.work, model.config.vocab_size)
    works = {"decode": decode, "score": score, "train": train, "adamw": optimize,
             "start": decode}
    run = next(f for name, f in works.items() if o.work.startswith(name))(model, s, o)
    if o.work == "start":
        run()
        os._exit(0)
    measure("torch-" + o.dtype, o, run)


main()
