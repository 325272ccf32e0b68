"""Transcoders in published layouts on small models of ../models, and their numbers by PyTorch.

    python make.py

The language models are transformers' own in float64, with hooks; the formulas are those of
docs/reference/protocols.md, in plain PyTorch. Weights are random. Writes one folder for each SAE,
tokens.jsonl, and expected.json: the strict values of each (of every layer and of the replacement
model for those of several layers), and latents and predictions of four random vectors.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

torch.manual_seed(5)
here = Path(__file__).parent
for old in here.iterdir():
    if old.is_dir():
        shutil.rmtree(old)

T, N = 12, 6
lengths = torch.tensor([12, 9, 12, 7, 12, 5])
ids = torch.randint(3, 320, (N, T))
real = torch.arange(T)[None] < lengths[:, None]
special = 2  # the id that one request leaves out
ids[:, 3] = special
ids = torch.where(real, ids, 0)
(here / "tokens.jsonl").write_text(
    "".join(json.dumps({"ids": row[:n].tolist()}) + "\n" for row, n in zip(ids, lengths))
)


class Model:
    """A model of ../models with the sites of its blocks, by TransformerLens' names."""

    def __init__(self, name):
        self.name = name
        self.lm = AutoModelForCausalLM.from_pretrained(
            here.parent / "models" / name, dtype=torch.float64, attn_implementation="eager"
        ).eval()
        base = self.lm.transformer if name == "gpt2" else self.lm.model
        self.blocks = base.h if name == "gpt2" else base.layers
        self.d = self.lm.config.hidden_size

    def module(self, l, site):
        block = self.blocks[l]
        gemma = self.name == "gemma3_text"
        norm = (
            block.ln_2
            if self.name == "gpt2"
            else (block.pre_feedforward_layernorm if gemma else block.post_attention_layernorm)
        )
        last = block.mlp.c_proj if self.name == "gpt2" else block.mlp.down_proj
        return {
            "resid": (block, "output"),
            "mlp_in": (norm, "input"),
            "resid_mid": (norm, "input"),
            "ln2_normalized": (norm, "input"),
            "ln2_out": (norm, "output"),
            "mlp_post": (last, "input"),
            "mlp_out": (block.post_feedforward_layernorm if gemma else block.mlp, "output"),
        }[site]

    def normalized(self, l, x):
        norm, _ = self.module(l, "mlp_in")
        if isinstance(norm, torch.nn.LayerNorm):
            x = x - x.mean(-1, keepdim=True)
        eps = getattr(norm, "variance_epsilon", None) or norm.eps
        return x / (x.pow(2).mean(-1, keepdim=True) + eps).sqrt()

    @torch.no_grad()
    def run(self, seen=(), change=()):
        """Logits; `seen`: (l, site) → value; `change`: (l, site) → function of what is there."""
        kept, handles = {}, []

        def at(key, module, side):
            def hook(value):
                first = value[0] if isinstance(value, tuple) else value
                if key in dict.fromkeys(seen):
                    kept[key] = (
                        self.normalized(key[0], first) if key[1] == "ln2_normalized" else first
                    ).clone()
                if key in dict(change):
                    new = dict(change)[key](first)
                    return (new, *value[1:]) if isinstance(value, tuple) else new
                return None

            if side == "output":
                handles.append(module.register_forward_hook(lambda _, __, out: hook(out)))
            else:

                def before(_, args):
                    new = hook(args[0])
                    return None if new is None else (new, *args[1:])

                handles.append(module.register_forward_pre_hook(before))

        for key in [*seen, *[k for k, _ in change]]:
            at(key, *self.module(*key))
        logits = self.lm(ids, attention_mask=real.long(), use_cache=False).logits
        for handle in handles:
            handle.remove()
        return logits, kept


models = {name: Model(name) for name in ("llama3", "gpt2", "gemma3_text")}


def number(x):
    return float(x)


def cross_entropy(logits, excluded):
    log = F.log_softmax(logits, -1)[:, :-1]
    nll = -log.gather(-1, ids[:, 1:, None]).squeeze(-1)
    counted = (real[:, 1:] & ~excluded[:, :-1]).double()
    return (nll * counted).sum(), counted.sum()


def of_logits(clean, spliced, zero, excluded):
    p, q = F.log_softmax(clean, -1), F.log_softmax(spliced, -1)
    counted = (real & ~excluded).double()
    kl = ((p.exp() * (p - q)).sum(-1) * counted).sum() / counted.sum()
    (ce, n), (ce_spliced, _), (ce_zero, _) = (
        cross_entropy(one, excluded) for one in (clean, spliced, zero)
    )
    return {
        "KLDivPerToken": number(kl),
        "DeltaCE": number((ce_spliced - ce) / n),
        "Recovered": number(1 - (ce_spliced - ce) / n / ((ce_zero - ce) / n + 1e-8)),
        # What an error of one nat in either difference does to Recovered.
        "_sensitivity": number(
            (1 + ((ce_spliced - ce) / (ce_zero - ce)).abs()) * n / (ce_zero - ce).abs()
        ),
        "NextTokenAgreement": number(
            ((clean.argmax(-1) == spliced.argmax(-1)).double() * counted).sum() / counted.sum()
        ),
    }


def of_values(y, predicted, excluded):
    counted = real & ~excluded
    y, predicted = y[counted], predicted[counted]
    error = (predicted - y).pow(2)
    return {
        "NormMSE": number((error.mean(-1) / y.pow(2).mean(-1)).mean()),
        "CosineSimilarity": number(F.cosine_similarity(predicted, y, dim=-1, eps=0).mean()),
        "ExplainedVariance": number(1 - error.sum() / (y - y.mean(0)).pow(2).sum()),
    }


def of_latents(z, excluded):
    active = z[real & ~excluded] != 0
    return {
        "L0": number(active.double().sum(-1).mean()),
        "DeadLatents": number((~active.any(0)).double().mean()),
    }


def left_out(excludes):
    return (ids == special) & real if excludes else torch.zeros_like(real)


expected = {"T": T, "saes": {}}


def vectors(d, forward):
    h = torch.randn(4, d, dtype=torch.float32)
    z, y = forward(h.double())
    return {"h": h.tolist(), "latents": z.tolist(), "prediction": y.tolist()}


def single(path, model, reads, predicts, forward, *, request=None, excludes=False):
    """`forward`: x [..., d] → latents, prediction."""
    lm = models[model]
    excluded = left_out(excludes)
    clean, seen = lm.run([reads, predicts])
    x, y = seen[reads], seen[predicts]
    z, predicted = forward(x)
    keep = lambda new: lambda old: torch.where(excluded[..., None], old, new)
    spliced, _ = lm.run(change=[(predicts, keep(predicted))])
    zero, _ = lm.run(change=[(predicts, keep(torch.zeros_like(y)))])
    expected["saes"][path] = {
        "model": model,
        "request": request or {},
        "excludes": excludes,
        "strict": {
            **of_values(y, predicted, excluded),
            **of_latents(z, excluded),
            **{
                key: value
                for key, value in of_logits(clean, spliced, zero, excluded).items()
                if key != "NextTokenAgreement"
            },
        },
        "vectors": vectors(x.shape[-1], forward),
    }


def layered(path, model, reads, predicts, encode, write, finish, *, excludes=False, request=None):
    """`encode(l, x)`; `write(l, to, z)`; `finish(l, sum, x)`."""
    lm = models[model]
    excluded = left_out(excludes)
    clean, seen = lm.run(list(dict.fromkeys([*reads, *predicts])))
    n = len(reads)
    xs, ys = [seen[key] for key in reads], [seen[key] for key in predicts]

    def forward(xs):
        zs = [encode(l, x) for l, x in enumerate(xs)]
        return zs, [
            finish(l, sum(write(i, l, zs[i]) for i in range(l + 1)), xs[l]) for l in range(n)
        ]

    zs, predicted = forward(xs)
    keep = lambda new: lambda old: torch.where(excluded[..., None], old, new)
    off = lambda old: torch.where(excluded[..., None], old, torch.zeros_like(old))
    per_layer, values, latents = [], [], []
    for l, key in enumerate(predicts):
        spliced, _ = lm.run(change=[(key, keep(predicted[l]))])
        zero, _ = lm.run(change=[(key, off)])
        own = of_values(ys[l], predicted[l], excluded)
        per_layer.append({**own, **of_logits(clean, spliced, zero, excluded)})
        values.append(own["NormMSE"])
        latents.append(of_latents(zs[l], excluded))

    # The replacement model: latents from what its own pass has.
    now = {}

    def read(l):
        def look(value):
            now[l] = encode(l, value), value
            return value

        return look

    def replace(l):
        def change(value):
            if reads[l] == predicts[l]:
                now[l] = encode(l, value), value
            new = finish(l, sum(write(i, l, now[i][0]) for i in range(l + 1)), now[l][1])
            return keep(new)(value)

        return change

    changes = [(reads[l], read(l)) for l in range(n) if reads[l] != predicts[l]]
    together, _ = lm.run(change=[*changes, *[(predicts[l], replace(l)) for l in range(n)]])
    nothing, _ = lm.run(change=[(key, off) for key in predicts])
    mean = lambda key: sum(one[key] for one in per_layer) / n
    counted = real & ~excluded
    y, p = (torch.cat([one[counted] for one in all_]) for all_ in (ys, predicted))
    h = torch.randn(4, n, xs[0].shape[-1], dtype=torch.float32)
    z, prediction = forward([h[:, l].double() for l in range(n)])
    expected["saes"][path] = {
        "model": model,
        "request": request or {},
        "excludes": excludes,
        "strict": {
            "NormMSE": mean("NormMSE"),
            "CosineSimilarity": mean("CosineSimilarity"),
            "ExplainedVariance": number(1 - (p - y).pow(2).sum() / (y - y.mean(0)).pow(2).sum()),
            "L0": sum(one["L0"] for one in latents) / n,
            "DeadLatents": sum(one["DeadLatents"] for one in latents) / n,
            **{
                key: mean(key)
                for key in (
                    "KLDivPerToken",
                    "DeltaCE",
                    "Recovered",
                    "NextTokenAgreement",
                    "_sensitivity",
                )
            },
        },
        "perLayer": [
            {
                key: one[key]
                for key in (
                    "NormMSE",
                    "KLDivPerToken",
                    "DeltaCE",
                    "Recovered",
                    "NextTokenAgreement",
                    "_sensitivity",
                )
            }
            for one in per_layer
        ],
        "replacement": of_logits(clean, together, nothing, excluded),
        "vectors": {
            "h": h.tolist(),
            "latents": torch.stack(z, 1).tolist(),
            "prediction": torch.stack(prediction, 1).tolist(),
        },
    }


def random(*shape, scale=None):
    scale = scale if scale is not None else shape[-1] ** -0.5
    return torch.randn(*shape) * scale


def folder(name):
    path = here / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def relu(a):
    return a.clamp_min(0)


def jumprelu(theta):
    return lambda a: relu(a) * (a > theta.double())


def topk(k):
    def keep(a):
        values, at = a.topk(k, -1)
        return torch.zeros_like(a).scatter_(-1, at, relu(values))

    return keep


def transcoder(w, activation=relu, skip=None, pre=False):
    """W_enc [d, m], W_dec [m, dOut]; `skip` [d, dOut] as it is used."""

    def forward(x):
        inner = x - w["b_dec"].double() if pre else x
        z = activation(inner @ w["W_enc"].double() + w["b_enc"].double())
        y = z @ w["W_dec"].double() + w["b_dec"].double()
        return z, y if skip is None else y + x @ skip.double()

    return forward


def weights(d, m, d_out=None, dtype=torch.float32):
    d_out = d_out or d
    w = {
        "W_enc": random(d, m, scale=d**-0.5),
        "W_dec": random(m, d_out, scale=0.3),
        "b_enc": random(m, scale=0.1),
        "b_dec": random(d_out, scale=0.1),
    }
    return {name: tensor.to(dtype) for name, tensor in w.items()}


def contiguous(tensors):
    return {name: tensor.contiguous().clone() for name, tensor in tensors.items()}


def saelens(name, architecture, hook, hook_out, tensors, d, d_out=None, dtype="float32", **more):
    path = folder(name)
    save_file(contiguous(tensors), path / "sae_weights.safetensors")
    config = {
        "architecture": architecture,
        "d_in": d,
        "d_out": d_out or d,
        "d_sae": tensors["b_enc"].shape[0],
        "dtype": dtype,
        "device": "cpu",
        "apply_b_dec_to_input": False,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {"hook_name": hook, "hook_name_out": hook_out, **more},
    }
    (path / "cfg.json").write_text(json.dumps(config, indent=1))


# SAELens: four architectures, the skip stored [d_out, d_in].
w = weights(64, 64, dtype=torch.float16)
saelens(
    "saelens", "transcoder", "blocks.1.mlp.hook_in", "blocks.1.hook_mlp_out", w, 64, dtype="float16"
)
single("saelens", "llama3", (1, "ln2_out"), (1, "mlp_out"), transcoder(w))

w = weights(48, 48)
w["W_skip"] = random(48, 48)
saelens(
    "saelens-skip",
    "skip_transcoder",
    "blocks.2.ln2.hook_normalized",
    "blocks.2.hook_mlp_out",
    w,
    48,
)
single(
    "saelens-skip", "gpt2", (2, "ln2_normalized"), (2, "mlp_out"), transcoder(w, skip=w["W_skip"].T)
)

# Gemma Scope 2 by SAELens: TransformerLens' nearest name, and the module's, which is another place.
w = weights(48, 40)
w["threshold"] = torch.rand(40) * 0.5
gemma = "model.layers.3.{}_feedforward_layernorm.output"
saelens(
    "saelens-jumprelu",
    "jumprelu_transcoder",
    "blocks.3.hook_mlp_in",
    "blocks.3.hook_mlp_out",
    w,
    48,
    hf_hook_name=gemma.format("pre"),
    hf_hook_name_out=gemma.format("post"),
)
single(
    "saelens-jumprelu",
    "gemma3_text",
    (3, "ln2_out"),
    (3, "mlp_out"),
    transcoder(w, jumprelu(w["threshold"])),
)

# From the neurons, of another width, to what the MLP adds.
w = weights(112, 24, 64)
w["threshold"] = torch.rand(24) * 0.5
w["W_skip"] = random(64, 112)
saelens(
    "saelens-jumprelu-skip",
    "jumprelu_skip_transcoder",
    "blocks.2.mlp.hook_post",
    "blocks.2.hook_mlp_out",
    w,
    112,
    64,
)
single(
    "saelens-jumprelu-skip",
    "llama3",
    (2, "mlp_post"),
    (2, "mlp_out"),
    transcoder(w, jumprelu(w["threshold"]), skip=w["W_skip"].T),
)

# sparsify: no bias taken off, x W_skipᵀ, the folder is the module.
w = weights(64, 48)
path = folder("sparsify/layers.2.mlp")
skip = random(64, 64)
save_file(
    contiguous(
        {
            "encoder.weight": w["W_enc"].T,
            "encoder.bias": w["b_enc"],
            "W_dec": w["W_dec"],
            "b_dec": w["b_dec"],
            "W_skip": skip,
        }
    ),
    path / "sae.safetensors",
)
(path / "cfg.json").write_text(
    json.dumps(
        {
            "activation": "topk",
            "expansion_factor": 32,
            "normalize_decoder": True,
            "num_latents": 48,
            "k": 6,
            "multi_topk": False,
            "skip_connection": True,
            "transcode": True,
            "d_in": 64,
        }
    )
)
single(
    "sparsify/layers.2.mlp",
    "llama3",
    (2, "ln2_out"),
    (2, "mlp_out"),
    transcoder(w, topk(6), skip=skip.T),
)

# dictionary_learning: the bias is taken off the input, whatever is predicted.
w = weights(64, 32)
path = folder("dictionary_learning")
torch.save(
    contiguous(
        {
            "encoder.weight": w["W_enc"].T,
            "encoder.bias": w["b_enc"],
            "decoder.weight": w["W_dec"].T,
            "b_dec": w["b_dec"],
            "k": torch.tensor(5),
            "threshold": torch.tensor(-1.0),
        }
    ),
    path / "ae.pt",
)
(path / "config.json").write_text(
    json.dumps(
        {
            "trainer": {
                "dict_class": "AutoEncoderTopK",
                "activation_dim": 64,
                "dict_size": 32,
                "k": 5,
                "layer": 0,
                "lm_name": "llama3",
                "submodule_name": "model.layers.0.mlp",
            },
            "buffer": {"d_submodule": 64, "io": "in_and_out", "n_ctxs": 10, "ctx_len": 12},
        }
    )
)
single(
    "dictionary_learning",
    "llama3",
    (0, "ln2_out"),
    (0, "mlp_out"),
    transcoder(w, topk(5), pre=True),
)

# Gemma Scope: .npz, normalized before the norm's weight.
w = weights(48, 48)
w["threshold"] = torch.rand(48) * 0.5
name = "gemma-scope-2b-pt-transcoders/layer_2/width_48/average_l0_9"
np.savez(folder(name) / "params.npz", **{key: value.numpy() for key, value in w.items()})
single(
    name,
    "gemma3_text",
    (2, "ln2_normalized"),
    (2, "mlp_out"),
    transcoder(w, jumprelu(w["threshold"])),
)


def gemma_scope_2(name, w, config):
    path = folder(name)
    save_file(
        contiguous(
            {(key if key.startswith("affine") else key.lower()): value for key, value in w.items()}
        ),
        path / "params.safetensors",
    )
    if config is not None:
        (path / "config.json").write_text(json.dumps(config))


for name, affine, described, dtype in (
    ("transcoder_all/layer_4_width_48_l0_small_affine", True, True, torch.float32),
    ("transcoder/layer_1_width_40_l0_medium", False, False, torch.bfloat16),
):
    l, m = int(name.split("layer_")[1][0]), int(name.split("width_")[1][:2])
    w = weights(48, m, dtype=dtype)
    w["threshold"] = (torch.rand(m) * 0.5).to(dtype)
    if affine:
        w["affine_skip_connection"] = random(48, 48)
    hooks = f"model.layers.{l}." + "{}_feedforward_layernorm.output"
    gemma_scope_2(
        name,
        w,
        {
            "architecture": "jump_relu",
            "model_name": "google/gemma-3-270m-pt",
            "width": m,
            "l0": 10,
            "hf_hook_point_in": hooks.format("pre"),
            "hf_hook_point_out": hooks.format("post"),
            "affine_connection": affine,
            "type": "transcoder",
        }
        if described
        else None,
    )
    single(
        name,
        "gemma3_text",
        (l, "ln2_out"),
        (l, "mlp_out"),
        transcoder(
            w, jumprelu(w["threshold"]), skip=w["affine_skip_connection"].T if affine else None
        ),
    )

# An affine connection that fits as it is stored, x W: the data tell, against what is assumed.
name = "fitted/transcoder_all/layer_2_width_24_l0_small_affine"
_, seen = models["gemma3_text"].run([(2, "ln2_out"), (2, "mlp_out")])
x, y = seen[(2, "ln2_out")][real], seen[(2, "mlp_out")][real]
w = weights(48, 24)
w["W_dec"] *= 0.05
w["threshold"] = torch.rand(24) * 0.5
w["affine_skip_connection"] = torch.linalg.lstsq(x, y).solution.float()
gemma_scope_2(name, w, None)
single(
    name,
    "gemma3_text",
    (2, "ln2_out"),
    (2, "mlp_out"),
    transcoder(w, jumprelu(w["threshold"]), skip=w["affine_skip_connection"]),
)
# Without a model nothing tells, and the transpose is assumed.
expected["saes"][name]["vectors"] = vectors(
    48, transcoder(w, jumprelu(w["threshold"]), skip=w["affine_skip_connection"].T)
)

# circuit-tracer: encoder and decoder both [m, d]; x W_skipᵀ.
yaml = (
    "model_name: {}\nfeature_input_hook: {}\nfeature_output_hook: {}\nmodel_kind: transcoder_set\n"
)
path = folder("circuit-tracer")
(path / "config.yaml").write_text(yaml.format("llama3", "mlp.hook_in", "mlp.hook_out"))
w = weights(64, 64)
skip = random(64, 64)
save_file(contiguous({**w, "W_enc": w["W_enc"].T, "W_skip": skip}), path / "layer_3.safetensors")
single(
    "circuit-tracer/layer_3.safetensors",
    "llama3",
    (3, "ln2_out"),
    (3, "mlp_out"),
    transcoder(w, skip=skip.T),
)

path = folder("circuit-tracer-mid")
(path / "config.yaml").write_text(yaml.format("gpt2", "hook_resid_mid", "hook_mlp_out"))
w = weights(48, 30)
threshold = torch.rand(30) * 0.5
save_file(
    contiguous({**w, "W_enc": w["W_enc"].T, "activation_function.threshold": threshold}),
    path / "of-block-one.safetensors",
)
single(
    "circuit-tracer-mid/of-block-one.safetensors",
    "gpt2",
    (1, "resid_mid"),
    (1, "mlp_out"),
    transcoder(w, jumprelu(threshold)),
    request={"layer": 2},
    excludes=True,
)

path = folder("circuit-tracer-alone")
w = weights(64, 40)
save_file(
    contiguous({**w, "W_enc": w["W_enc"].T, "k": torch.tensor(4)}), path / "layer_0.safetensors"
)
single(
    "circuit-tracer-alone/layer_0.safetensors",
    "llama3",
    (0, "ln2_out"),
    (0, "mlp_out"),
    transcoder(w, topk(4)),
)

# A plain dictionary that the request makes a transcoder, from one block's output to the next one's.
path = folder("plain")
w = weights(64, 40)
save_file(
    contiguous(
        {
            "encoder.weight": w["W_enc"].T,
            "encoder.bias": w["b_enc"],
            "decoder.weight": w["W_dec"].T,
            "decoder.bias": w["b_dec"],
        }
    ),
    path / "plain.safetensors",
)
single(
    "plain/plain.safetensors",
    "llama3",
    (0, "resid"),
    (1, "resid"),
    transcoder(w),
    request={
        "kind": "Vanilla",
        "hook": "blocks.0.hook_resid_post",
        "hookOut": "blocks.1.hook_resid_post",
        "preBias": False,
        "normalization": "none",
    },
)


def of_layers(n, d, m):
    return [
        {
            "enc": random(d, m, scale=d**-0.5),
            "b_enc": random(m, scale=0.1),
            "b_dec": random(d, scale=0.1),
            "dec": random(m, n, d, scale=0.2),
            "threshold": torch.rand(m) * 0.5,
            "skip": random(d, d),
        }
        for _ in range(n)
    ]


def calls(layers, *, jump, skip):
    def encode(l, x):
        a = x @ layers[l]["enc"].double() + layers[l]["b_enc"].double()
        return jumprelu(layers[l]["threshold"])(a) if jump else relu(a)

    def write(l, to, z):
        return z @ layers[l]["dec"][:, to].double()

    def finish(l, total, x):
        y = total + layers[l]["b_dec"].double()
        return y if skip is None else y + x @ skip(layers[l]["skip"]).double()

    return encode, write, finish


# circuit-tracer's cross-layer transcoders: decoders of the layers from the own one on; x W_skip.
for name, hook, jump, with_skip, excludes in (
    ("clt", "hook_resid_mid", False, False, False),
    ("clt-jumprelu-skip", "mlp.hook_in", True, True, True),
):
    layers = of_layers(4, 64, 10)
    path = folder(name)
    (path / "config.yaml").write_text(
        yaml.format("llama3", hook, "hook_mlp_out").replace(
            "transcoder_set", "cross_layer_transcoder"
        )
    )
    for l, one in enumerate(layers):
        save_file(
            contiguous(
                {
                    f"W_enc_{l}": one["enc"].T,
                    f"b_enc_{l}": one["b_enc"],
                    f"b_dec_{l}": one["b_dec"],
                    **({f"threshold_{l}": one["threshold"]} if jump else {}),
                    **({f"W_skip_{l}": one["skip"]} if with_skip else {}),
                }
            ),
            path / f"W_enc_{l}.safetensors",
        )
        save_file(contiguous({f"W_dec_{l}": one["dec"][:, l:]}), path / f"W_dec_{l}.safetensors")
    site = "resid_mid" if hook == "hook_resid_mid" else "ln2_out"
    layered(
        name,
        "llama3",
        [(l, site) for l in range(4)],
        [(l, "mlp_out") for l in range(4)],
        *calls(layers, jump=jump, skip=(lambda s: s) if with_skip else None),
        excludes=excludes,
    )

# Gemma Scope 2: every file has the decoders of all layers; x Wᵀ.
for name, at, type_, affine, described in (
    ("gemma-scope-2/clt/width_60_l0_big_affine", [*range(6)], "clt", True, True),
    (
        "gemma-scope-2/crosscoder/layer_1_2_4_width_30_l0_medium",
        [1, 2, 4],
        "crosscoder",
        False,
        True,
    ),
    ("gemma-scope-2/crosscoder/layer_0_3_width_24_l0_medium", [0, 3], "crosscoder", False, False),
):
    n = len(at)
    layers = of_layers(n, 48, 12)
    for l, one in enumerate(layers):
        one["dec"][:, :l] = 0
        save_file(
            contiguous(
                {
                    "w_enc": one["enc"],
                    "b_enc": one["b_enc"],
                    "b_dec": one["b_dec"],
                    "w_dec": one["dec"],
                    "threshold": one["threshold"],
                    **({"affine_skip_connection": one["skip"]} if affine else {}),
                }
            ),
            folder(name) / f"params_layer_{l}.safetensors",
        )
    block = (
        "model.layers.{all}."
        if type_ == "clt"
        else "model.layers.{" + ",".join(map(str, at)) + "}."
    )
    reads = "pre_feedforward_layernorm.output" if type_ == "clt" else "output"
    predicts = "post_feedforward_layernorm.output" if type_ == "clt" else "output"
    if described:
        (here / name / "config.json").write_text(
            json.dumps(
                {
                    "hf_hook_point_in": block + reads,
                    "hf_hook_point_out": block + predicts,
                    "width": 12 * n,
                    "model_name": "google/gemma-3-270m-pt",
                    "architecture": "jump_relu",
                    "l0": 150,
                    "affine_connection": affine,
                    "type": type_,
                }
            )
        )
    places = [
        [(l, site) for l in at]
        for site in (("ln2_out", "mlp_out") if type_ == "clt" else ("resid", "resid"))
    ]
    layered(
        name,
        "gemma3_text",
        *places,
        *calls(layers, jump=True, skip=(lambda s: s.T) if affine else None),
    )

(here / "expected.json").write_text(json.dumps(expected))
print({name: one["strict"]["KLDivPerToken"] for name, one in expected["saes"].items()})
