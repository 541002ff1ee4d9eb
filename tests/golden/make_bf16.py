"""Losses and gradients in bf16 arithmetic, by torch: bf16/NAME.safetensors.

    python make_bf16.py            in tests/golden, with torch and transformers

Every product of a linear layer has both operands rounded to bfloat16, on the way there and
on both ways back; attention multiplies queries, keys, values (their gradients pass as if they
were not) and exponentials so, and on its way back whatever it multiplies.  What norms, attention
and activations of layers read is kept as bfloat16: their ways back begin with that, and what they
made of it is made again of that.  Products and all else are float64.  So what differs from ours
are the roundings of float32, and the few numbers that these move across a tie.
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
    def forward(ctx, x, again, w):  # (..., K) twice: now, and when its way back comes; (N, K)
        ctx.save_for_backward(again, w)
        return rounded(x) @ rounded(w).T

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        flat = rounded(dy).reshape(-1, dy.shape[-1])
        dw = flat.T @ rounded(x).reshape(-1, x.shape[-1])
        return rounded(dy) @ rounded(w), None, dw


def linear(layer, x):
    w = layer.weight.T if isinstance(layer, Conv1D) else layer.weight
    y = Product.apply(x, getattr(x, "again", x.detach()), w)
    return y if layer.bias is None else y + layer.bias


def passed(x):
    return x + (rounded(x) - x).detach()


def kept(f):
    """f, but its way back is that of its inputs rounded."""

    def forward(*x):
        again = f(*map(passed, x))
        y = again + (f(*x) - again).detach()
        y.again = again.detach()
        return y

    return forward


class Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v, scale):  # (1, heads, T, D)
        q, seen = rounded(q), torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril()
        scores = (q @ k.transpose(-1, -2) * scale).masked_fill(~seen, -torch.inf)
        lse = scores.logsumexp(-1, keepdim=True)
        e = (scores - scores.amax(-1, keepdim=True)).exp()
        out = rounded(e) @ v / e.sum(-1, keepdim=True)
        ctx.scale, ctx.seen = scale, seen
        ctx.save_for_backward(q, k, v, lse, rounded(out))
        return out

    @staticmethod
    def backward(ctx, dout):
        q, k, v, lse, out = ctx.saved_tensors
        p = (q @ k.transpose(-1, -2) * ctx.scale - lse).exp() * ctx.seen
        delta, dout = (dout * out).sum(-1, keepdim=True), rounded(dout)
        ds = rounded(p * (dout @ v.transpose(-1, -2) - delta))
        dk, dv = ds.transpose(-1, -2) @ q * ctx.scale, rounded(p).transpose(-1, -2) @ dout
        return ds @ k * ctx.scale, dk, dv, None


def attention(module, q, k, v, mask, scaling=None, **kwargs):  # (1, heads, T, D)
    k, v = (passed(x).repeat_interleave(q.shape[1] // k.shape[1], 1) for x in (k, v))
    y = Attention.apply(q, k, v, q.shape[-1] ** -0.5 if scaling is None else scaling)
    return y.transpose(1, 2).contiguous(), None


def gated(mlp, x):
    gate, up = mlp.gate_proj(x), mlp.up_proj(x)
    return mlp.down_proj(kept(lambda g, u: mlp.act_fn(g) * u)(gate, up))


def prepare(model):
    for m in model.modules():
        if isinstance(m, (torch.nn.Linear, Conv1D)):
            m.forward = linear.__get__(m)
    body = model.base_model
    for layer in body.layers if hasattr(body, "layers") else body.h:
        for norm in ("input_layernorm", "post_attention_layernorm", "ln_1", "ln_2"):
            if hasattr(layer, norm):
                m = getattr(layer, norm)
                m.forward = kept(m.forward)
        if hasattr(layer.mlp, "gate_proj"):
            layer.mlp.forward = gated.__get__(layer.mlp)
        else:
            layer.mlp.act.forward = kept(layer.mlp.act.forward)


def main():
    AttentionInterface.register("rounded", attention)
    AttentionMaskInterface.register("rounded", eager_mask)
    for name in NAMES:
        model = AutoModelForCausalLM.from_pretrained(name, attn_implementation="rounded")
        model = model.to(torch.float64).eval()
        prepare(model)
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
        print(name, loss.item())


if __name__ == "__main__":
    main()
