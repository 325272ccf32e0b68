"""Numbers of SAELens and SAEBench on two small models, from PyTorch and transformers.

Needs torch, transformers, tokenizers and safetensors. Run in this folder: `python make.py` writes
the models, the SAEs, the tokens and expected.json. It follows the definitions in
docs/reference/saelens-and-saebench.md and knows neither the code under test nor the tools' own: the
language model and everything after it run in float64.

`llama` has a BOS whose embedding is 40 times as long as the others; `gpt2` has positions of its
own. Contexts begin with BOS, and some hold one between two texts. The last batch is smaller.
"""
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM
from transformers import PreTrainedTokenizerFast

here = Path(__file__).resolve().parent
V, D, M, L, T, SAMPLES, BATCH = 90, 16, 48, 3, 16, 22, 6
PAD, BOS, EOS = 0, 1, 2
HEADS, HOOK = 2, 2  # hook: the residual stream after block 2 of 3


def tokenizer():
    words = {"<pad>": PAD, "<s>": BOS, "</s>": EOS, **{f"w{i}": i for i in range(3, V)}}
    own = Tokenizer(models.WordLevel(words, unk_token="w3"))
    own.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=own, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


def language_models():
    torch.manual_seed(1)
    ids = dict(bos_token_id=BOS, eos_token_id=EOS, pad_token_id=PAD)
    llama = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=V, hidden_size=D, intermediate_size=32, num_hidden_layers=L,
            num_attention_heads=HEADS, num_key_value_heads=1, max_position_embeddings=32,
            initializer_range=0.5, attn_implementation="eager", **ids,
        )
    )
    gpt2 = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=V, n_embd=D, n_layer=L, n_head=HEADS, n_positions=32,
            initializer_range=0.5, attn_implementation="eager", **ids,
        )
    )
    with torch.no_grad():
        llama.model.embed_tokens.weight[BOS] *= 40
    return {"llama": llama, "gpt2": gpt2}


def contexts():
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(3, V, (SAMPLES, T), generator=generator)
    ids[:, 0] = BOS
    ids[::3, 7] = BOS
    ids[::5, 11] = EOS
    return ids


class Language:
    """A model in float64 whose block HOOK can be watched and changed."""

    def __init__(self, model, name):
        self.model = model.double().eval()
        self.name = name
        blocks = model.model.layers if name == "llama" else model.transformer.h
        self.block = blocks[HOOK - 1]
        self.heads = self.block.self_attn.o_proj if name == "llama" else self.block.attn.c_proj

    @torch.no_grad()
    def run(self, ids, place=None, edit=None):
        """Activations at `place` and the logits; `edit` replaces the activations."""
        seen = {}

        def change(h):
            seen["h"] = h
            return h if edit is None else edit(h)

        def after(_module, _inputs, out):
            if place != "resid":
                return out
            if isinstance(out, tuple):
                return (change(out[0]), *out[1:])
            return change(out)

        def before(_module, inputs):
            return (change(inputs[0]), *inputs[1:]) if place == "z" else inputs

        handles = [
            self.block.register_forward_hook(after),
            self.heads.register_forward_pre_hook(before),
        ]
        logits = self.model(ids).logits
        for handle in handles:
            handle.remove()
        return seen.get("h"), logits.log_softmax(-1)


def random_sae(seed, d=D, m=M):
    generator = torch.Generator().manual_seed(seed)
    decoder = torch.randn(m, d, generator=generator)
    decoder /= decoder.norm(dim=-1, keepdim=True)
    encoder = decoder.T.clone() + 0.1 * torch.randn(d, m, generator=generator)
    return {
        "W_enc": encoder,
        "W_dec": decoder,
        "b_dec": 0.1 * torch.randn(d, generator=generator),
        "b_enc": 0.1 * torch.randn(m, generator=generator),
    }, generator


def saelens(folder, architecture, weights, hook="blocks.1.hook_resid_post", **settings):
    folder.mkdir(parents=True)
    m, d = weights["W_dec"].shape
    config = {
        "architecture": architecture, "d_in": d, "d_sae": m, "dtype": "float32",
        "apply_b_dec_to_input": settings.pop("apply", False),
        "normalize_activations": settings.pop("normalize", "none"),
        "metadata": {"hook_name": hook, **settings.pop("metadata", {})}, **settings,
    }
    (folder / "cfg.json").write_text(json.dumps(config, indent=1) + "\n")
    save_file({k: v.contiguous() for k, v in weights.items()}, folder / "sae_weights.safetensors")


def standardized(h, epsilon):
    mean, std = h.mean(-1, keepdim=True), h.std(-1, keepdim=True)
    return (h - mean) / (std + epsilon), lambda y: y * std + mean


class Sae:
    """encode(h) and decode: raw activations to latents to raw activations."""

    def __init__(self, kind, weights, k=None, normalize=None, place="resid", head=None):
        self.kind, self.k, self.normalize = kind, k, normalize
        self.w = {name: value.double() for name, value in weights.items()}
        self.place, self.head = place, head

    def __call__(self, h):
        epsilon = {"layer_norm": 1e-5, "pre": 1e-6}.get(self.normalize)
        x, restore = (h, lambda y: y) if epsilon is None else standardized(h, epsilon)
        z = self.encode(x)
        return z, restore(z @ self.w["W_dec"] + self.w["b_dec"])

    def encode(self, x):
        w = self.w
        if self.kind == "gated":
            a = x @ w["W_enc"]
            return (a + w["b_gate"] > 0) * (a * w["r_mag"].exp() + w["b_mag"]).relu()
        if self.kind == "signed topk":
            a = (x - w["b_dec"]) @ w["W_enc"] + w["b_enc"]
            values, at = a.topk(self.k, -1)
            return torch.zeros_like(a).scatter(-1, at, values)
        a = x @ w["W_enc"] + w["b_enc"]
        if self.kind == "topk":
            values, at = a.topk(self.k, -1)
            return torch.zeros_like(a).scatter(-1, at, values.relu())
        if self.kind == "jumprelu":
            return a.relu() * (a > w["threshold"])
        return a.relu()


def saes():
    shutil.rmtree(here / "saes", ignore_errors=True)
    folder = here / "saes"
    found = {}
    w, _ = random_sae(11)
    saelens(folder / "topk", "topk", w, k=6)
    found["topk"] = Sae("topk", w, k=6)
    w, g = random_sae(12)
    w["threshold"] = 0.5 * torch.rand(M, generator=g)
    saelens(folder / "jumprelu", "jumprelu", w)
    found["jumprelu"] = Sae("jumprelu", w)
    w, g = random_sae(13)
    del w["b_enc"]
    w["b_gate"], w["b_mag"] = (0.2 * torch.randn(M, generator=g) for _ in range(2))
    w["r_mag"] = 0.2 * torch.randn(M, generator=g)
    saelens(folder / "gated", "gated", w)
    found["gated"] = Sae("gated", w)
    w, _ = random_sae(14)
    saelens(folder / "layer-norm", "standard", w, normalize="layer_norm")
    found["layer-norm"] = Sae("standard", w, normalize="layer_norm")
    w, _ = random_sae(15)
    saelens(folder / "heads", "topk", w, k=5, hook="blocks.1.attn.hook_z")
    found["heads"] = Sae("topk", w, k=5, place="z")
    w, _ = random_sae(16, d=D // HEADS, m=24)
    saelens(
        folder / "head", "standard", w, hook="blocks.1.attn.hook_z",
        metadata={"hook_head_index": 1},
    )
    found["head"] = Sae("standard", w, place="z", head=1)
    # A plain file of this project's kinds: normalized by `pre`, signed values.
    w, _ = random_sae(17)
    plain = {
        "pre_bias": w["b_dec"], "latent_bias": w["b_enc"],
        "encoder.weight": w["W_enc"].T, "decoder.weight": w["W_dec"].T,
    }
    save_file({k: v.contiguous() for k, v in plain.items()}, folder / "signed.safetensors")
    found["signed"] = Sae("signed topk", w, k=40, normalize="pre")
    return found


def kl(p, q):
    return (p.exp() * (p - q)).sum(-1)


def ce(log_p, ids):
    return -log_p[:, :-1].gather(-1, ids[:, 1:, None])[..., 0]


def largest_cosine(rows):
    rows = rows / rows.norm(dim=-1, keepdim=True)
    cosines = rows @ rows.T
    cosines.fill_diagonal_(-torch.inf)
    return float(cosines.max(-1).values.mean())


def evaluate(language, sae, ids, rules):
    """The values of one tool: batch after batch, then over all."""
    tokens = {}
    batches = {}

    def keep(name, values):
        tokens.setdefault(name, []).append(values.reshape(-1))

    def per_batch(name, value):
        batches.setdefault(name, []).append(value)

    head = None if sae.head is None else slice(sae.head * D // HEADS, (sae.head + 1) * D // HEADS)
    own = lambda h: h if head is None else h[..., head]

    def put(h, value):
        if head is None:
            return value
        changed = h.clone()
        changed[..., head] = value
        return changed

    fired = torch.zeros(sae.w["W_dec"].shape[0], dtype=torch.float64)
    total = 0
    h_sum = 0
    for batch in ids.split(BATCH):
        mask = torch.ones_like(batch, dtype=torch.bool)
        for special in (PAD, BOS, EOS):
            mask &= batch != special
        # Reconstruction.
        full, clean = language.run(batch, sae.place)
        h = own(full)
        z, y = sae(h)
        h, z, y = h[mask], z[mask], y[mask]
        n = len(h)
        error = ((h - y) ** 2).sum(-1)
        keep("l2_norm_in", h.norm(dim=-1))
        keep("l2_norm_out", y.norm(dim=-1))
        keep("l2_ratio", y.norm(dim=-1) / h.norm(dim=-1))
        keep("cossim", torch.cosine_similarity(h, y, -1))
        keep("mse", error / n if rules["mse"] == "shrinks" else error)
        keep("l0", ((z > 0) if rules["l0"] == "positive" else (z != 0)).double().sum(-1))
        keep("l1", (z if rules["l1"] == "signed" else z.abs()).sum(-1))
        around = ((h - h.mean(0)) ** 2).sum(-1)
        keep("explained_variance_legacy", 1 - error / around)
        keep("error", error)
        keep("square", (h**2).sum(-1))
        h_sum = h_sum + h.sum(0)
        per_batch("bias", (y**2).sum(-1).mean() / (h * y).sum(-1).mean())
        per_batch("A", (h**2).sum(-1).mean())
        per_batch("c", (h**2).mean(0).mean())
        per_batch("R", error.mean())
        active = (z > 0) if rules["density"] == "positive" else (z != 0)
        fired += active.double().sum(0)
        total += n
        # Spliced passes.
        splice = {
            "masked": lambda x: torch.where(mask[..., None], put(x, sae(own(x))[1]), x),
            "everywhere": lambda x: put(x, sae(own(x))[1]),
        }[rules["splice"]]
        _, spliced = language.run(batch, sae.place, splice)
        _, zero = language.run(batch, sae.place, lambda x: put(x, torch.zeros_like(own(x))))
        keep("kl_div_with_sae", kl(clean, spliced)[mask])
        keep("kl_div_with_ablation", kl(clean, zero)[mask])
        keep("ce_loss_without_sae", ce(clean, batch)[mask[:, :-1]])
        keep("ce_loss_with_sae", ce(spliced, batch)[mask[:, :-1]])
        keep("ce_loss_with_ablation", ce(zero, batch)[mask[:, :-1]])
    mean = {name: float(torch.cat(values).mean()) for name, values in tokens.items()}
    over = {name: float(torch.stack(values).mean()) for name, values in batches.items()}
    error, square = mean.pop("error"), mean.pop("square")
    density = fired / total
    above = lambda x: float((density > x).double().mean())
    part = lambda x: float(density[density > x].sum() / density.sum())
    pooled = 1 - error / (square - float(((h_sum / total) ** 2).sum()))
    values = {
        **mean,
        "explained_variance": (
            pooled
            if rules["variance"] == "pooled"
            else 1 - over["R"] / (over["A"] - over["c"] ** 2)
        ),
        "relative_reconstruction_bias": over["bias"],
        "kl_div_score": (mean["kl_div_with_ablation"] - mean["kl_div_with_sae"])
        / mean["kl_div_with_ablation"],
        "ce_loss_score": (mean["ce_loss_with_ablation"] - mean["ce_loss_with_sae"])
        / (mean["ce_loss_with_ablation"] - mean["ce_loss_without_sae"]),
        "frac_alive": above(0),
        "freq_over_1_percent": above(0.01),
        "freq_over_10_percent": above(0.1),
        "normalized_freq_over_1_percent": part(0.01),
        "normalized_freq_over_10_percent": part(0.1),
    }
    if rules["weights"]:
        values["average_max_encoder_cosine_sim"] = largest_cosine(sae.w["W_enc"].T)
        values["average_max_decoder_cosine_sim"] = largest_cosine(sae.w["W_dec"])
    return values


def rules_of(protocol, sae, leaves_specials):
    new = dict(
        l0="not zero", density="not zero", l1="magnitudes", variance="pooled", mse="mean",
        splice="masked", weights=False,
    )
    old = {**new, "l0": "positive", "density": "positive", "l1": "signed"}
    if sae.place == "z":
        old["splice"] = "everywhere"
    bench = dict(
        l0="not zero", density="positive", l1="signed", variance="batches", mse="shrinks",
        splice="masked" if leaves_specials else "everywhere", weights=True,
    )
    return {
        "saelens@6.52": new,
        "saelens@6.45.2": old,
        "saelens@6.44": {**old, "variance": "batches", "mse": "shrinks"},
        "saebench@0.6": bench,
    }[protocol]


def packed(tokenizer, texts, length, head):
    """Contexts of `length` tokens: BOS before each (`head`) and between texts, the tail dropped."""
    stream, found = [], []
    for text in texts:
        ids = tokenizer.encode(text, add_special_tokens=False)
        while ids:
            if not stream:
                start = [BOS] if head and ids[0] != BOS else []
            else:
                start = [] if ids[0] == BOS else [BOS]
            stream += start
            room = length - len(stream)
            stream, ids = stream + ids[:room], ids[room:]
            if len(stream) == length:
                found.append(stream)
                stream = []
    return found


def packing():
    own = tokenizer()
    generator = torch.Generator().manual_seed(3)
    texts = []
    for length in (7, 1, 4, 11, 2, 5, 3, 8):
        words = torch.randint(3, V, (length,), generator=generator).tolist()
        texts.append(" ".join(f"w{word}" for word in words))
    texts[2] = "<s> " + texts[2]
    texts[4] = texts[4] + " </s>"
    cases = [
        {"seqLen": length, "prependBos": head, "contexts": packed(own, texts, length, head)}
        for length in (2, 3, 5, 8)
        for head in (True, False)
    ]
    (here / "text.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    (here / "packing.json").write_text(json.dumps(cases).replace("}, {", "},\n{") + "\n")


def main():
    packing()
    ids = contexts()
    (here / "tokens.jsonl").write_text(
        "".join(json.dumps({"ids": row.tolist()}) + "\n" for row in ids)
    )
    all_saes = saes()
    expected = []
    for name, model in language_models().items():
        folder = here / name
        shutil.rmtree(folder, ignore_errors=True)
        model.float().save_pretrained(folder)
        tokenizer().save_pretrained(folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
        language = Language(model, name)
        for label, sae in all_saes.items():
            for protocol in ("saelens@6.52", "saelens@6.45.2", "saelens@6.44", "saebench@0.6"):
                for leaves in (False, True) if protocol == "saebench@0.6" else (False,):
                    values = evaluate(language, sae, ids, rules_of(protocol, sae, leaves))
                    expected.append(
                        {
                            "model": name, "sae": label, "protocol": protocol,
                            "excludeSpecialsFromReconstruction": leaves,
                            "values": {k: float(f"{v:.9g}") for k, v in values.items()},
                        }
                    )
    settings = {"seqLen": T, "samples": SAMPLES, "batchSize": BATCH, "cases": expected}
    text = json.dumps(settings, indent=0)
    (here / "expected.json").write_text(text.replace(",\n", ", ").replace("{\n", "{") + "\n")


main()
