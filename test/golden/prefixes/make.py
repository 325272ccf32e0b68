"""Numbers of sweeps over prefixes, under both protocols, from transformers' own model with hooks.

Needs torch, transformers and safetensors. Run in this folder: `python make.py` writes two
Matryoshka SAEs (`matryoshka/` as dictionary_learning saves them, `widths/` as SAELens does, with as
many latents as dimensions) and expected.json. It follows docs/reference/protocols.md and knows
nothing of the code under test: the language model runs in float32, everything after it in float64.
A prefix is taken by setting latents of the whole SAE to zero.
"""
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

here = Path(__file__).resolve().parent
root = here.parents[2] / "checkpoints"
T, SAMPLES, BATCH, K = 32, 6, 4, 16
tokenizer = AutoTokenizer.from_pretrained(root / "tiny-llama")
model = AutoModelForCausalLM.from_pretrained(
    root / "tiny-llama", dtype=torch.float32, attn_implementation="eager"
).eval()
D = model.config.hidden_size
L = model.config.num_hidden_layers
S, E = L // 4, 3 * L // 4
ROUTED = list(range(S, E + 1))
PAD = tokenizer.eos_token_id
PREFIXES = [1, 100, 1024]
FEW = [100, 700]


def batches():
    """Token ids and mask [B, T] of each batch."""
    texts = []
    for line in open(root / "eval" / "eval.jsonl"):
        words = json.loads(line)["text"].split()
        for i in range(0, len(words), T):
            texts.append(tokenizer(" ".join(words[i : i + T]))["input_ids"][:T])
    for i in range(0, SAMPLES, BATCH):
        own = texts[i : min(i + BATCH, SAMPLES)]
        ids = torch.tensor([ids + [PAD] * (T - len(ids)) for ids in own])
        yield ids, torch.tensor([[t < len(ids) for t in range(T)] for ids in own])


def forward(ids, mask, edits={}):
    """Residual streams by layer, h_L and log-probabilities, with r -> edits[i](r) at layer i."""
    handles, seen = [], {}
    for i, block in enumerate(model.model.layers, 1):
        def hook(_module, _inputs, out, i=i):
            r = out[0] if isinstance(out, tuple) else out
            if i in edits:
                r = edits[i](r.double()).float()
            seen[i] = r.double()
            return (r, *out[1:]) if isinstance(out, tuple) else r
        handles.append(block.register_forward_hook(hook))
    final = model.model.norm.register_forward_hook(
        lambda _m, _i, out: seen.__setitem__("final", out.double())
    )
    with torch.no_grad():
        logits = model(ids, attention_mask=mask.long()).logits.double()
    for handle in [*handles, final]:
        handle.remove()
    return seen, logits.log_softmax(-1)


# SAEs: encode gives all latents, `within` keeps a prefix, decode adds the bias.


def within(z, prefix):
    return z if prefix is None else torch.where(torch.arange(z.shape[-1]) < prefix, z, 0.0)


def load(path):
    return {k: v.double() for k, v in torch.load(root / path).items()}


def largest(a, k):
    values, at = a.topk(k, -1)
    return torch.zeros_like(a).scatter(-1, at, values)


class Pre:
    """Input (h - mean) / (std + 1e-6), undone with std and mean."""

    def input(self, h):
        mean, std = h.mean(-1, keepdim=True), h.std(-1, keepdim=True)
        return (h - mean) / (std + 1e-6), lambda x: x * std + mean


class Family(Pre):
    def __init__(self, kind, prefix=""):
        self.kind = kind
        state = load(f"{kind}_tiny.pt")
        self.w = {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}

    def encode(self, x):
        w = self.w
        a = (x - w["pre_bias"]) @ w["encoder.weight"].T
        if self.kind == "Gated":
            return (a + w["gate_bias"] > 0) * (w["r_mag"].exp() * a + w["mag_bias"]).relu()
        a = a + w["latent_bias"]
        if self.kind == "Vanilla":
            return a.relu()
        if self.kind == "JumpReLU":
            return a * (a > w["threshold"])
        return largest(a, K)

    def decode(self, z):
        return z @ self.w["decoder.weight"].T + self.w["pre_bias"]


class Raw:
    """Thresholded latents of raw activations, as BatchTopK is evaluated."""

    def __init__(self, state, subtracts):
        self.w = {k: v.double() for k, v in state.items()}
        self.subtracts = subtracts

    def input(self, h):
        return h, lambda x: x

    def encode(self, x):
        w = self.w
        a = (x - w["b_dec"] if self.subtracts else x) @ w["W_enc"] + w["b_enc"]
        return a.relu() * (a > w["threshold"])

    def decode(self, z):
        return z @ self.w["W_dec"] + self.w["b_dec"]


class Sums:
    """Sums of one protocol: over positions that count, or of one batch."""

    def __init__(self):
        self.sequences = 0
        self.positions = self.next = self.clean = 0.0
        self.pairs = self.nmse = self.cosine = self.error = self.square = self.output = 0.0
        self.total = self.fired = self.active = 0.0
        self.slots = {}

    def count(self, clean, ids, keep, counts_next):
        self.sequences += len(ids)
        self.positions += int(keep.sum())
        self.next += int(counts_next.sum())
        self.clean += cross_entropy(clean, ids)[counts_next].sum()

    def measure(self, x, y, keep):
        x, y = x[keep], y[keep]
        error, square = ((y - x) ** 2).sum(-1), (x**2).sum(-1)
        self.pairs += len(x)
        self.nmse += (error / square).sum()
        self.cosine += torch.cosine_similarity(x, y, -1).sum()
        self.error += error.sum()
        self.square += square.sum()
        self.output += (y**2).sum()
        self.total = self.total + x.sum(0)

    def latents(self, z, keep):
        self.active += int((z[keep] != 0).sum())
        self.fired = self.fired + (z[keep] != 0).double().sum(0)

    def logits(self, slot, clean, spliced, zero, ids, keep, counts_next):
        found = self.slots.setdefault(slot, dict(kl=0.0, spliced=0.0, zero=0.0))
        found["kl"] += (clean.exp() * (clean - spliced)).sum(-1)[keep].sum()
        for name, log_p in (("spliced", spliced), ("zero", zero)):
            found[name] += cross_entropy(log_p, ids)[counts_next].sum()

    def over_slots(self, value):
        return float(sum(value(s) for s in self.slots.values()) / len(self.slots))

    def losses(self):
        clean = self.clean / self.next
        return {
            "DeltaCE": self.over_slots(lambda s: s["spliced"] / self.next - clean),
            "Recovered": self.over_slots(
                lambda s: 1
                - (s["spliced"] / self.next - clean) / (s["zero"] / self.next - clean + 1e-8)
            ),
        }

    def reference(self):
        found = {"NormMSE": float(self.nmse / self.pairs)}
        if not self.slots:
            return found
        kl = self.over_slots(lambda s: s["kl"] / self.sequences)
        return found | {"KLDiv": kl} | self.losses()

    def strict(self, prefix, sites):
        fired = self.fired if prefix is None else self.fired[:prefix]
        rates = (fired[fired > 0] / (self.positions * sites)).log10()
        bins = ((rates + 6) / 6 * 40).floor().clamp(0, 39).long()
        return {
            "NormMSE": float(self.nmse / self.pairs),
            "NormRatio": float((self.output / self.square).sqrt()),
            "CosineSimilarity": float(self.cosine / self.pairs),
            "ExplainedVariance": float(
                1 - self.error / (self.square - (self.total**2).sum() / self.pairs)
            ),
            "L0": float(self.active / (self.positions * sites)),
            "DeadLatents": float((fired == 0).double().mean()),
            "DensityHistogram": {
                "count": torch.bincount(bins, minlength=40).tolist(),
                "dead": int((fired == 0).sum()),
            },
            "KLDivPerToken": self.over_slots(lambda s: s["kl"] / self.positions),
            "KLDivPerSequence": self.over_slots(lambda s: s["kl"] / self.sequences),
        } | self.losses()


def cross_entropy(log_p, ids):
    """Of each position's next token: [B, T], the last one unused."""
    return -log_p.gather(-1, ids.roll(-1, 1)[..., None])[..., 0]


zero = torch.zeros_like


def single(sae, layer, prefix):
    """One layer, measured and spliced there; `reference` measures h_L after the norm."""

    def enter(seen):
        def own(h):
            x, restore = sae.input(h)
            z = within(sae.encode(x), prefix)
            return x, z, restore, sae.decode(z)

        x, z, _, y = own(seen[layer])
        xr, _, _, yr = own(seen["final"]) if layer == L else (x, z, None, y)

        def splice(r):
            _, _, restore, y = own(r)
            return restore(y)

        slots = [({layer: splice}, {layer: zero})]
        return dict(
            strict=dict(pairs=[(x, y)], latents=[z], slots=slots),
            reference=dict(pairs=[(xr, yr)], slots=slots),
        )

    return enter, 1


def every(sae, prefix):
    """MLSAE: each routed layer by itself; `reference` splices one block later."""

    def enter(seen):
        def own(h):
            x, restore = sae.input(h)
            z = within(sae.encode(x), prefix)
            return x, z, restore, sae.decode(z)

        def splice(r):
            _, _, restore, y = own(r)
            return restore(y)

        at = {i: own(seen[i]) for i in ROUTED}
        pairs = [(x, y) for x, _, _, y in at.values()]
        return dict(
            strict=dict(
                pairs=pairs,
                latents=[z for _, z, _, _ in at.values()],
                slots=[({i: splice}, {i: zero}) for i in ROUTED],
            ),
            reference=dict(pairs=pairs, slots=[({i + 1: splice}, {i + 1: zero}) for i in ROUTED]),
        )

    return enter, len(ROUTED)


def shared(prefix):
    """Crosscoder: latents of all routed layers, spliced at each alone (`strict` only)."""
    w = load("Crosscoder_tiny.pt")

    def enter(seen):
        inputs = [Pre().input(seen[i]) for i in ROUTED]
        a = sum(x @ w[f"encoder.{j}.weight"].T for j, (x, _) in enumerate(inputs))
        z = within((a + w["latent_bias"]).relu(), prefix)
        outputs = [z @ w[f"decoder.{j}.weight"].T for j in range(len(ROUTED))]
        pairs = [(x, y) for (x, _), y in zip(inputs, outputs)]
        values = [restore(y) for (_, restore), y in zip(inputs, outputs)]
        slots = [({i: lambda r, v=v: v}, {i: zero}) for i, v in zip(ROUTED, values)]
        return dict(
            strict=dict(pairs=pairs, latents=[z], slots=slots),
            reference=dict(pairs=pairs, slots=[]),
        )

    return enter, 1


def routed(routing, prefix):
    """RouteSAE: each token at its own layer, or all layers weighted."""
    sae = Family("RouteSAE", "sae.")
    router = load("RouteSAE_tiny.pt")["router.weight"]

    def enter(seen):
        x = torch.stack([sae.input(seen[i])[0] for i in ROUTED], -2)  # [B, T, R, d]
        p = (x.sum(-2) @ router.T).softmax(-1)
        best, at = p.max(-1)
        chosen = x.gather(-2, at[..., None, None].expand(*at.shape, 1, D)).squeeze(-2)
        own = chosen * best[..., None] if routing == "hard" else (p[..., None] * x).sum(-2)
        z = within(sae.encode(own), prefix)
        y = sae.decode(z)
        edits, zeros = {}, {}
        for j, i in enumerate(ROUTED):
            if routing == "hard":
                def change(r, j=j):
                    x_, restore = sae.input(r)
                    value = restore(sae.decode(within(sae.encode(x_), prefix)))
                    return torch.where((at == j)[..., None], value, r)
                edits[i] = change
                zeros[i] = lambda r, j=j: torch.where((at == j)[..., None], zero(r), r)
            else:
                share = lambda j: p[..., j : j + 1]
                edits[i] = lambda r, j=j: r + share(j) * (y - own) * r.std(-1, keepdim=True)
                zeros[i] = lambda r, j=j: (1 - share(j)) * r
        slots = [(edits, zeros)]
        return dict(
            strict=dict(pairs=[(own, y)], latents=[z], slots=slots),
            reference=dict(pairs=[(own, y)], slots=slots if routing == "hard" else []),
        )

    return enter, 1


data = [(ids, mask, *forward(ids, mask)) for ids, mask in batches()]
passes = {}


def changed(ids, mask, edits):
    """Log-probabilities with edits; a pass that was made is not made again."""
    key = (id(ids), *edits.items())
    if key not in passes:
        passes[key] = forward(ids, mask, edits)[1]
    return passes[key]


def add(sums, found, ids, mask, clean, keep, counts_next):
    sums.count(clean, ids, keep, counts_next)
    for x, y in found["pairs"]:
        sums.measure(x, y, keep)
    for z in found.get("latents", []):
        sums.latents(z, keep)
    for slot, (edits, zeros) in enumerate(found["slots"]):
        spliced, zeroed = changed(ids, mask, edits), changed(ids, mask, zeros)
        sums.logits(slot, clean, spliced, zeroed, ids, keep, counts_next)


def evaluate(made, prefix):
    enter, sites = made(prefix)
    strict = Sums()
    each = []
    for ids, mask, seen, clean in data:
        found = enter(seen)
        following = mask & torch.cat([mask[:, 1:], torch.zeros(len(ids), 1, dtype=bool)], 1)
        add(strict, found["strict"], ids, mask, clean, mask, following)
        reference = Sums()
        everywhere = torch.ones_like(mask)
        followed = everywhere.clone()
        followed[:, -1] = False
        add(reference, found["reference"], ids, mask, clean, everywhere, followed)
        each.append(reference.reference())
    for key in [key for key in passes if any(edit is not zero for _, edit in key[1:])]:
        del passes[key]
    return {
        "reference": {k: sum(one[k] for one in each) / len(each) for k in each[0]},
        "strict": strict.strict(prefix, sites),
    }


def matryoshka(layer, m, subtracts, seed):
    """A dictionary of directions that the activations have, coarse ones first."""
    torch.manual_seed(seed)
    h = torch.cat([seen[layer][mask] for _, mask, seen, _ in data])
    center = h.mean(0)
    rows = (h - center)[torch.randperm(len(h))[:m]]
    rows = torch.nn.functional.normalize(rows + 0.3 * rows.std() * torch.randn_like(rows), dim=-1)
    state = {
        "W_enc": rows.T.contiguous(),
        "W_dec": rows * 0.6,
        "b_enc": 0.1 * torch.randn(m) - (0 if subtracts else rows @ center),
        "b_dec": center,
    }
    state = {k: v.half() for k, v in state.items()}
    x = h - state["b_dec"].double() if subtracts else h
    a = x @ state["W_enc"].double() + state["b_enc"].double()
    return state, float(a.quantile(0.8))


def save():
    state, threshold = matryoshka(6, 48, True, 0)
    state |= {
        "k": torch.tensor(9, dtype=torch.int32),
        "threshold": torch.tensor(threshold),
        "group_sizes": torch.tensor([8, 12, 28]),
    }
    folder = here / "matryoshka"
    folder.mkdir(exist_ok=True)
    torch.save(state, folder / "ae.pt")
    trainer = {
        "trainer_class": "MatryoshkaBatchTopKTrainer",
        "dict_class": "MatryoshkaBatchTopKSAE",
        "activation_dim": D,
        "dict_size": 48,
        "group_fractions": [0.17, 0.25, 0.58],
        "group_weights": [1 / 3] * 3,
        "group_sizes": [8, 12, 28],
        "k": 9,
        "layer": 5,
        "submodule_name": "resid_post_layer_5",
    }
    (folder / "config.json").write_text(json.dumps({"trainer": trainer}, indent=1) + "\n")

    widths, cut = matryoshka(10, D, False, 1)
    folder = here / "widths"
    folder.mkdir(exist_ok=True)
    widths["threshold"] = torch.full([D], cut)
    save_file(widths, folder / "sae_weights.safetensors")
    config = {
        "architecture": "jumprelu",
        "d_in": D,
        "d_sae": D,
        "dtype": "float32",
        "apply_b_dec_to_input": False,
        "normalize_activations": "none",
        "matryoshka_widths": [16, 64],
        "metadata": {"hook_name": "blocks.9.hook_resid_post"},
    }
    (folder / "cfg.json").write_text(json.dumps(config, indent=1) + "\n")
    return Raw(state, True), Raw(widths, False)


if __name__ == "__main__":
    batchtopk, jumprelu = save()
    made = {
        "matryoshka": ([8, 20, 48], lambda p: single(batchtopk, 6, p)),
        "widths": ([16, 64, 128], lambda p: single(jumprelu, 10, p)),
        "TopK": (PREFIXES, lambda p: single(Family("TopK"), 16, p)),
        "Vanilla": (FEW, lambda p: single(Family("Vanilla"), 3, p)),
        "Gated": (FEW, lambda p: single(Family("Gated"), 16, p)),
        "JumpReLU": (FEW, lambda p: single(Family("JumpReLU"), 8, p)),
        "MLSAE": (FEW, lambda p: every(Family("MLSAE"), p)),
        "Crosscoder": (FEW, shared),
        "RouteSAE hard": (FEW, lambda p: routed("hard", p)),
        "RouteSAE soft": (FEW, lambda p: routed("soft", p)),
    }
    cases = {}
    for name, (prefixes, case) in made.items():
        cases[name] = [
            {"prefix": p} | evaluate(case, p) for p in [None, *prefixes]
        ]
        for point in cases[name]:
            print(name, point["prefix"], point["strict"]["L0"], point["strict"]["KLDivPerToken"])
    (here / "expected.json").write_text(
        json.dumps(
            {"seqLen": T, "maxSamples": SAMPLES, "batchSize": BATCH, "k": K, "cases": cases},
            indent=1,
        )
        + "\n"
    )
