"""Losses and gradients in bf16 arithmetic, by torch: bf16/NAME.safetensors.

    python make_bf16.py            in tests/golden, with torch and transformers

Every product of a linear layer has both operands rounded to bfloat16, on the way there and
on both ways back, and attention sees keys and values so (their gradients pass as if they
were not); products and all else are float64.  So what differs from ours are the roundings of
float32, and the few numbers that these move across a tie.
"""
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AttentionInterface, AttentionMaskInterface, AutoModelForCausalLM
from transformers.masking_utils import eager_mask
from transformers.pytorch_utils import Conv1D

NAMES = ["llama-tiny", "gpt2-tiny"]


def rounded(x):
    return x.to(torch.float32).to(torch.bfloat16).to(torch.float64)


class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):  # (..., K), (N, K)
        ctx.save_for_backward(x, w)
        return rounded(x) @ rounded(w).T

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        flat = rounded(dy).reshape(-1, dy.shape[-1])
        return rounded(dy) @ rounded(w), flat.T @ rounded(x).reshape(-1, x.shape[-1])


def linear(layer, x):
    w = layer.weight.T if isinstance(layer, Conv1D) else layer.weight
    y = Product.apply(x, w)
    return y if layer.bias is None else y + layer.bias


def passed(x):
    return x + (rounded(x) - x).detach()


def attention(module, q, k, v, mask, scaling=None, **kwargs):  # (1, heads, T, D)
    k, v = (passed(x).repeat_interleave(q.shape[1] // k.shape[1], 1) for x in (k, v))
    scores = q @ k.transpose(-1, -2) * (q.shape[-1] ** -0.5 if scaling is None else scaling)
    seen = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
    p = scores.masked_fill(~seen, -torch.inf).softmax(-1)
    return (p @ v).transpose(1, 2).contiguous(), p


def main():
    AttentionInterface.register("rounded", attention)
    AttentionMaskInterface.register("rounded", eager_mask)
    for name in NAMES:
        model = AutoModelForCausalLM.from_pretrained(name, attn_implementation="rounded")
        model = model.to(torch.float64).eval()
        for m in model.modules():
            if isinstance(m, (torch.nn.Linear, Conv1D)):
                m.forward = linear.__get__(m)
        with safe_open(f"{name}/expected.safetensors", "pt") as f:
            ids = [f.get_tensor(f"s{s}.input_ids").long() for s in range(2)]
        out, total, count = {}, 0, 0
        for s in ids:
            logits = model(s[None]).logits[0]
            logp = torch.log_softmax(logits[:-1], -1).gather(1, s[1:, None])
            total, count = total - logp.sum(), count + len(logp)
        loss = total / count
        loss.backward()
        out["loss"] = loss.detach().float()
        for key, p in model.named_parameters():
            out["grad." + key] = p.grad.float().contiguous()
        save_file(out, f"bf16/{name}.safetensors")
        print(name, float(loss))


if __name__ == "__main__":
    main()
