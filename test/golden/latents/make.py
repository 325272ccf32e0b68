"""The latents tables of shipped SAEs and of a transcoder, by PyTorch and NumPy.

Needs torch, transformers and numpy. Run in this folder: `python make.py` writes tokens.jsonl, the
samples on the shipped model, and expected.json: every column of every 32nd latent, and sums over
all latents. It follows docs/reference/latents.md and knows nothing of the code under test: language
models run in float32, everything after them in float64.
"""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

here = Path(__file__).resolve().parent
root = here.parents[2] / "checkpoints"
T, N, CONTEXTS, STEP = 40, 6, 2, 32
BEFORE, AFTER = 24, 12
LENGTHS = [40, 33, 40, 21, 40, 12]
tokenizer = AutoTokenizer.from_pretrained(root / "tiny-llama")


def samples():
    found = []
    for line in open(root / "eval" / "eval.jsonl"):
        ids = tokenizer(json.loads(line)["text"])["input_ids"]
        found += [ids[i : i + T] for i in range(0, len(ids) - T, 3 * T)]
    return [found[i][:n] for i, n in zip([0, 2, 3, 4, 5, 6], LENGTHS)]


def forward(folder, own, module, side="output"):
    """What a module gives, or takes, on the samples: [N, T, d] float64, and which are real."""
    lm = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    longest = max(map(len, own))
    ids = torch.tensor([one + [0] * (longest - len(one)) for one in own])
    real = torch.tensor([[t < len(one) for t in range(longest)] for one in own])
    seen = {}
    for name, one in module(lm).items():
        def keep(_, args, out, name=name):
            value = out if side == "output" else args[0]
            seen[name] = (value[0] if isinstance(value, tuple) else value).double()
        one.register_forward_hook(keep)
    with torch.no_grad():
        lm(ids, attention_mask=real.long())
    return seen, ids, real


def pre(h):
    return (h - h.mean(-1, keepdim=True)) / (h.std(-1, keepdim=True) + 1e-6)


def largest(a, k):
    values, at = a.topk(k, -1)
    return torch.zeros_like(a).scatter(-1, at, values)


def family(kind):
    return {k: v.double() for k, v in torch.load(root / f"{kind}_tiny.pt").items()}


def far(values, name):
    """Float32 must decide as float64 does: no value lies where its rounding (3e-6) matters."""
    nearest = float(np.abs(values).min())
    assert nearest > 5e-6, (name, nearest)


def histogram(values):
    """Octaves from 2^-8 to 2^12; what lies outside counts in the outer ones."""
    if len(values):
        octaves = np.log2(np.abs(values))
        far(np.where((octaves > -8.1) & (octaves < 12), octaves - np.round(octaves), 1), "an edge")
    bins = np.clip(np.floor(np.log2(np.abs(values))) + 8, 0, 19).astype(int)
    return np.bincount(bins, minlength=20).tolist()


def table(
    z, ids, counted, encoder, decoder, *, layers=None, shared_space=True, text=True, step=STEP
):
    """z: one [N, T, m] for each place that is read; encoder and decoder: [m, w]."""
    values = torch.stack(z, 2).numpy()  # [N, T, places, m]
    places = values.shape[2]
    mask = counted.numpy()[:, :, None, None] & (values != 0)
    m = values.shape[-1]
    lengths = counted.sum(1)
    positions = int(counted.sum()) * places
    encoder, decoder = encoder.numpy(), decoder.numpy()
    norms = [np.linalg.norm(w, axis=1) for w in (encoder, decoder)]
    cosines = (decoder @ decoder.T) / norms[1][:, None] / norms[1][None]
    np.fill_diagonal(cosines, -np.inf)
    order = np.sort(cosines, 1)
    rows = []
    for j in range(0, m, step):
        at = np.argwhere(mask[..., j])  # sample, position, place
        own = values[..., j][mask[..., j]]
        first = np.lexsort((at[:, 2], at[:, 1], at[:, 0], -own))[:CONTEXTS]
        if len(own) > CONTEXTS:
            sorted_ = np.sort(own)[::-1]
            far(np.diff(sorted_[: CONTEXTS + 1]), "two contexts")
        rows.append({
            "latent": j,
            "active": len(own),
            "density": len(own) / positions,
            "samples": len(set(at[:, 0].tolist())),
            "sampleShare": len(set(at[:, 0].tolist())) / len(lengths),
            "mean": float(own.mean()) if len(own) else None,
            "max": float(own.max()) if len(own) else None,
            "encoderNorm": float(norms[0][j]),
            "decoderNorm": float(norms[1][j]),
            "encoderDecoderCosine": float(encoder[j] @ decoder[j] / norms[0][j] / norms[1][j])
            if shared_space
            else None,
            "twin": int(cosines[j].argmax()),
            "twinCosine": float(cosines[j].max()),
            "histogram": histogram(own),
            "contexts": [context(at[i], own[i], ids, layers, text) for i in first],
        })
        assert order[j, -1] - order[j, -2] > 1e-6, "twins that rounding could swap"
    active = mask.sum((0, 1, 2))
    return {
        "m": m,
        "positions": positions,
        "dead": int((active == 0).sum()),
        "active": int(active.sum()),
        "sum": float((values * mask).sum()),
        "rows": rows,
    }


def context(at, value, ids, layers, text):
    sample, position, place = map(int, at)
    own = ids[sample][:LENGTHS[sample]].tolist() if text else ids[sample].tolist()
    decode = lambda part: tokenizer.decode(part, clean_up_tokenization_spaces=False)
    from_ = max(0, position - BEFORE)
    before, through = own[from_:position], own[from_ : position + 1]
    around = own[from_ : position + 1 + AFTER]
    texts = {
        "before": decode(before),
        "token": decode(through)[len(decode(before)) :],
        "after": decode(around)[len(decode(through)) :],
    }
    return {
        "sample": sample,
        "position": position,
        "layer": None if layers is None else layers[place],
        "value": float(value),
        "tokenId": own[position],
        **(texts if text else {}),
    }


own = samples()
(here / "tokens.jsonl").write_text("".join(json.dumps({"ids": ids}) + "\n" for ids in own))
seen, ids, real = forward(
    root / "tiny-llama", own, lambda lm: dict(enumerate(lm.model.layers, 1))
)
L = len(seen)
ROUTED = list(range(L // 4, 3 * L // 4 + 1))
found = {}

w = family("TopK")
x = pre(seen[12]) - w["pre_bias"]
a = x @ w["encoder.weight"].T + w["latent_bias"]
z = largest(a, 16)
special = torch.isin(ids, torch.tensor(tokenizer.all_special_ids))
best = a[real].sort(-1, descending=True).values
far(best[:, 15] - best[:, 16], "the k-th")
found["TopK"] = table([z], ids, real & ~special, w["encoder.weight"], w["decoder.weight"].T)

w = family("JumpReLU")
a = (pre(seen[8]) - w["pre_bias"]) @ w["encoder.weight"].T + w["latent_bias"]
far((a - w["threshold"])[real], "a threshold")
found["JumpReLU"] = table(
    [a * (a > w["threshold"])], ids, real, w["encoder.weight"], w["decoder.weight"].T
)

w = family("MLSAE")
each = [
    (pre(seen[i]) - w["pre_bias"]) @ w["encoder.weight"].T + w["latent_bias"] for i in ROUTED
]
for a in each:
    best = a[real].sort(-1, descending=True).values
    far(best[:, 15] - best[:, 16], "the k-th")
z = [largest(a, 16) for a in each]
found["MLSAE"] = table(
    z, ids, real, w["encoder.weight"], w["decoder.weight"].T, layers=ROUTED
)

w = family("Crosscoder")
encoders = [w[f"encoder.{j}.weight"] for j in range(len(ROUTED))]
decoders = [w[f"decoder.{j}.weight"].T for j in range(len(ROUTED))]
a = sum(pre(seen[i]) @ e.T for i, e in zip(ROUTED, encoders)) + w["latent_bias"]
far(a[real], "zero")
z = a.relu()
found["Crosscoder"] = table([z], ids, real, torch.cat(encoders, 1), torch.cat(decoders, 1))

folder = here.parent / "transcoders"
lines = [json.loads(line)["ids"] for line in open(folder / "tokens.jsonl")]
read, ids, real = forward(
    here.parent / "models" / "llama3",
    lines,
    lambda lm: {"x": lm.model.layers[1].post_attention_layernorm},
)
w = {k: v.double() for k, v in load_file(folder / "saelens" / "sae_weights.safetensors").items()}
z = (read["x"] @ w["W_enc"] + w["b_enc"]).relu()
found["transcoder"] = table(
    [z], ids, real, w["W_enc"].T, w["W_dec"], shared_space=False, text=False, step=1
)


def rounded(value):
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


content = {
    "seqLen": T,
    "contexts": CONTEXTS,
    "step": STEP,
    "layers": ROUTED,
    "saes": rounded(found),
}
(here / "expected.json").write_text(json.dumps(content) + "\n")
