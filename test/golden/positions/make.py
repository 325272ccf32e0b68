"""Numbers of `strict` with excluded positions, from transformers' own model with hooks.

Needs torch and transformers. Run in this folder: `python make.py` writes expected.json. It follows
docs/reference/protocols.md and knows nothing of the code under test: the language model runs in
float32, everything after it in float64, one sequence at a time.
"""
import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

root = Path(__file__).resolve().parents[3] / "checkpoints"
T, SAMPLES, K = 32, 6, 16
tokenizer = AutoTokenizer.from_pretrained(root / "tiny-llama")
model = AutoModelForCausalLM.from_pretrained(
    root / "tiny-llama", dtype=torch.float32, attn_implementation="eager"
).eval()
L = model.config.num_hidden_layers
S, E = L // 4, 3 * L // 4
ROUTED = list(range(S, E + 1))
SPECIALS = {4093, 4094, 4095}


def samples():
    found = []
    for line in open(root / "eval" / "eval.jsonl"):
        words = json.loads(line)["text"].split()
        for i in range(0, len(words), T):
            found.append(tokenizer(" ".join(words[i : i + T]))["input_ids"][:T])
            if len(found) == SAMPLES:
                return found


def load(name):
    return {k: v.double() for k, v in torch.load(root / f"{name}_tiny.pt").items()}


def blocks(edits, ids):
    """The model with edits {layer: r -> r} after its blocks; residual streams, logits."""
    handles, seen = [], {}
    for i, block in enumerate(model.model.layers, 1):
        def hook(_m, _i, out, i=i):
            r = out[0] if isinstance(out, tuple) else out
            if i in edits:
                r = edits[i](r[0].double()).float()[None]
            seen[i] = r[0].double()
            return (r, *out[1:]) if isinstance(out, tuple) else r
        handles.append(block.register_forward_hook(hook))
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].double()
    for handle in handles:
        handle.remove()
    return seen, logits.log_softmax(-1)


def pre(h):
    mean, std = h.mean(-1, keepdim=True), h.std(-1, keepdim=True)
    return (h - mean) / (std + 1e-6), mean, std


def topk(w, x, prefix=""):
    a = (x - w[prefix + "pre_bias"]) @ w[prefix + "encoder.weight"].T + w[prefix + "latent_bias"]
    values, at = a.topk(K, -1)
    return torch.zeros_like(a).scatter(-1, at, values)


def linear(w, x):
    return (x - w["pre_bias"]) @ w["encoder.weight"].T


def encode(kind, w, x):
    if kind in ("TopK", "MLSAE"):
        return topk(w, x)
    if kind == "Vanilla":
        return (linear(w, x) + w["latent_bias"]).relu()
    if kind == "Gated":
        a = linear(w, x)
        return (a + w["gate_bias"] > 0) * (w["r_mag"].exp() * a + w["mag_bias"]).relu()
    a = linear(w, x) + w["latent_bias"]
    return a * (a > w["threshold"])


def decode(w, z, prefix=""):
    return z @ w[prefix + "decoder.weight"].T + w[prefix + "pre_bias"]


def splice(kind, w, h):
    x, mean, std = pre(h)
    return decode(w, encode(kind, w, x)) * std + mean


class Sums:
    """Sums over the counted positions of all sequences."""

    def __init__(self):
        self.n = self.pairs = self.nmse = self.cosine = self.error = self.square = self.active = 0.0
        self.total = 0.0
        self.fired = 0.0
        self.slots = {}
        self.next = self.clean = 0.0

    def measure(self, x, y, keep):
        x, y = x[keep], y[keep]
        error = ((y - x) ** 2).sum(-1)
        square = (x**2).sum(-1)
        self.pairs += len(x)
        self.nmse += (error / square).sum()
        self.cosine += torch.cosine_similarity(x, y, -1).sum()
        self.error += error.sum()
        self.square += square.sum()
        self.total = self.total + x.sum(0)

    def latents(self, z, keep):
        self.active += (z[keep] != 0).sum()
        self.fired = self.fired + (z[keep] != 0).sum(0)

    def logits(self, slot, clean, spliced, zero, ids, keep):
        found = self.slots.setdefault(slot, dict(kl=0.0, spliced=0.0, zero=0.0))
        found["kl"] += (clean.exp() * (clean - spliced)).sum(-1)[keep].sum()
        for name, log_p in (("spliced", spliced), ("zero", zero)):
            found[name] += cross_entropy(log_p, ids, keep)

    def values(self, sequences, sites=1):
        each = self.slots.values()
        clean = self.clean / self.next
        mean = lambda f: float(sum(f(s) for s in each) / len(each))
        return {
            "NormMSE": float(self.nmse / self.pairs),
            "CosineSimilarity": float(self.cosine / self.pairs),
            "ExplainedVariance": float(
                1 - self.error / (self.square - (self.total**2).sum() / self.pairs)
            ),
            "L0": float(self.active / (self.n * sites)),
            "DeadLatents": float((self.fired == 0).double().mean()),
            "KLDivPerToken": mean(lambda s: s["kl"] / self.n),
            "KLDivPerSequence": mean(lambda s: s["kl"] / sequences),
            "DeltaCE": mean(lambda s: s["spliced"] / self.next - clean),
            "Recovered": mean(
                lambda s: 1
                - (s["spliced"] / self.next - clean) / (s["zero"] / self.next - clean + 1e-8)
            ),
        }


def cross_entropy(log_p, ids, keep):
    labels = torch.tensor(ids[1:])
    ce = -log_p[:-1].gather(-1, labels[:, None])[:, 0]
    return ce[keep[:-1]].sum()


def evaluate(kind, is_out, routing="hard"):
    w = load("TopK" if kind == "RandomK" else kind)
    sums = Sums()
    shares = torch.zeros(len(ROUTED), dtype=torch.float64)
    texts = samples()
    for ids in texts:
        out = torch.tensor([is_out(i, t) for t, i in enumerate(ids)])
        keep = ~out
        leave = lambda change: lambda r: torch.where(out[:, None], r, change(r))
        seen, clean = blocks({}, ids)
        sums.n += keep.sum()
        sums.next += keep[:-1].sum()
        sums.clean += cross_entropy(clean, ids, keep)
        zero = lambda r: torch.zeros_like(r)
        if kind in ("TopK", "Vanilla", "Gated", "JumpReLU"):
            x = pre(seen[L])[0]
            z = encode(kind, w, x)
            sums.measure(x, decode(w, z), keep)
            sums.latents(z, keep)
            change = leave(lambda r: splice(kind, w, r))
            spliced, zeroed = (blocks({L: e}, ids)[1] for e in (change, leave(zero)))
            sums.logits(0, clean, spliced, zeroed, ids, keep)
        elif kind == "MLSAE":
            for i in ROUTED:
                x = pre(seen[i])[0]
                z = encode(kind, w, x)
                sums.measure(x, decode(w, z), keep)
                sums.latents(z, keep)
                change = leave(lambda r: splice(kind, w, r))
                spliced, zeroed = (blocks({i: e}, ids)[1] for e in (change, leave(zero)))
                sums.logits(i, clean, spliced, zeroed, ids, keep)
        elif kind == "Crosscoder":
            x = [pre(seen[i]) for i in ROUTED]
            a = sum(x[j][0] @ w[f"encoder.{j}.weight"].T for j in range(len(ROUTED)))
            z = (a + w["latent_bias"]).relu()
            sums.latents(z, keep)
            for j, i in enumerate(ROUTED):
                y = z @ w[f"decoder.{j}.weight"].T
                sums.measure(x[j][0], y, keep)
                value = y * x[j][2] + x[j][1]
                change = leave(lambda r: value)
                spliced, zeroed = (blocks({i: e}, ids)[1] for e in (change, leave(zero)))
                sums.logits(i, clean, spliced, zeroed, ids, keep)
        else:  # RouteSAE
            x = torch.stack([pre(seen[i])[0] for i in ROUTED], 1)
            p = (x.sum(1) @ w["router.weight"].T).softmax(-1)
            best, at = p.max(-1)
            rows = torch.arange(len(ids))
            routed = x[rows, at] * best[:, None] if routing == "hard" else (p[..., None] * x).sum(1)
            z = topk(w, routed, "sae.")
            y = decode(w, z, "sae.")
            sums.measure(routed, y, keep)
            sums.latents(z, keep)
            edits, zeros = {}, {}
            for j, i in enumerate(ROUTED):
                if routing == "hard":
                    here = (at == j) & keep
                    shares[j] += here.sum()

                    def change(r, here=here):
                        x_, mean, std = pre(r)
                        own = decode(w, topk(w, x_, "sae."), "sae.") * std + mean
                        return torch.where(here[:, None], own, r)

                    edits[i] = change
                    zeros[i] = lambda r, here=here: torch.where(here[:, None], zero(r), r)
                else:
                    shares[j] += p[keep, j].sum()
                    edits[i] = leave(lambda r, j=j: r + p[:, j : j + 1] * (y - routed) * pre(r)[2])
                    zeros[i] = leave(lambda r, j=j: (1 - p[:, j : j + 1]) * r)
            spliced, zeroed = (blocks(e, ids)[1] for e in (edits, zeros))
            sums.logits(0, clean, spliced, zeroed, ids, keep)
    found = sums.values(len(texts), len(ROUTED) if kind == "MLSAE" else 1)
    if kind == "RouteSAE":
        found["RoutingShare"] = (shares / shares.sum()).tolist()
    found["counted"] = int(sums.n)
    return found


def sliced(start, stop):
    kept = set(range(T)[start:stop])
    return lambda _id, t: t not in kept


rules = {
    "none": ("none", lambda _id, _t: False),
    "specials": ("specials", lambda i, _t: i in SPECIALS),
    "ids": ([4093, 15, 200], lambda i, _t: i in (4093, 15, 200)),
    "range": ({"positions": [2, -4]}, sliced(2, -4)),
}

if __name__ == "__main__":
    cases = []
    for name, (exclude, is_out) in rules.items():
        for kind in ("TopK", "Gated", "JumpReLU", "MLSAE", "Crosscoder", "RouteSAE"):
            if name in ("none", "ids") and kind not in ("TopK", "MLSAE", "RouteSAE"):
                continue
            for routing in ("hard", "soft") if kind == "RouteSAE" else ("hard",):
                cases.append(
                    dict(
                        exclude=exclude,
                        kind=kind,
                        routing=routing,
                        strict=evaluate(kind, is_out, routing),
                    )
                )
                print(name, kind, routing, cases[-1]["strict"])
    Path("expected.json").write_text(
        json.dumps({"seqLen": T, "maxSamples": SAMPLES, "k": K, "cases": cases}, indent=1) + "\n"
    )
