"""Matchings by scipy's linear_sum_assignment: of small matrices, of decoders, and of activations.

Needs torch, transformers, numpy, scipy and safetensors. Run in this folder: `python make.py` writes
small SAEs (`*.safetensors`) and expected.json. It follows docs/reference/dictionaries.md and knows
nothing of the code under test: the language model runs in float32, everything after it in float64.
"""
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from scipy.optimize import linear_sum_assignment
from transformers import AutoModelForCausalLM, AutoTokenizer

here = Path(__file__).resolve().parent
checkpoints = here.parents[2] / "checkpoints"
rng = np.random.default_rng(7)


def similarity(values):
    """PW-MCC, share of pairs of 0.7 and more, and MMCS both ways."""
    rows, columns = linear_sum_assignment(values, maximize=True)
    pairs = values[rows, columns]
    return {
        "latents": list(values.shape),
        "pwMcc": pairs.mean(),
        "shared": (pairs >= 0.7).mean(),
        "mmcs": values.max(1).mean(),
        "mmcsTurned": values.max(0).mean(),
    }


# Matrices: random ones, one with many equal values, one of a few ranks.
matrices = []
for rows, columns, kind in [
    (1, 1, "uniform"), (1, 5, "uniform"), (6, 6, "uniform"), (20, 33, "uniform"),
    (40, 40, "integers"), (30, 50, "integers"), (35, 35, "rank"),
]:
    values = {
        "uniform": lambda: rng.uniform(-1, 1, (rows, columns)).round(4),
        "integers": lambda: rng.integers(0, 4, (rows, columns)) / 4.0,
        "rank": lambda: (rng.normal(size=(rows, 2)) @ rng.normal(size=(2, columns))).round(3),
    }[kind]()
    at = linear_sum_assignment(values, maximize=True)
    matrices.append(
        {"rows": rows, "columns": columns, "values": values.ravel().tolist(),
         "total": values[at].sum()}
    )

# Dictionaries of 24 and 31 latents in 8 dimensions.
D = 8


def unit(w):
    return w / np.linalg.norm(w, axis=1, keepdims=True)


def save(name, rows):
    m = len(rows)
    save_file(
        {
            "encoder.weight": torch.zeros(m, D),
            "decoder.weight": torch.tensor(rows.T.copy(), dtype=torch.float32),
            "pre_bias": torch.zeros(D),
            "latent_bias": torch.zeros(m),
        },
        here / f"{name}.safetensors",
    )


base = rng.normal(size=(24, D)).astype(np.float32).astype(np.float64)
order = rng.permutation(24)
scales = rng.uniform(0.5, 2, (24, 1))
dictionaries = {
    "base": base,
    # the same directions in another order, at other lengths
    "permuted": base[order] * scales,
    # and half of them turned around
    "flipped": base[order] * scales * np.where(np.arange(24) % 2 == 0, 1, -1)[:, None],
    "noisy": base[order] + 0.5 * rng.normal(size=(24, D)),
    "wider": rng.normal(size=(31, D)),
    # three latents have no direction
    "holes": np.where(np.arange(24)[:, None] % 8 == 3, 0, base),
}
for name, rows in dictionaries.items():
    save(name, rows)
decoders = {}
names = list(dictionaries)
for i, a in enumerate(names):
    for b in names[i + 1:]:
        one, two = [
            unit(w[np.linalg.norm(w, axis=1) > 0])
            for w in (dictionaries[a].astype(np.float32).astype(np.float64),
                      dictionaries[b].astype(np.float32).astype(np.float64))
        ]
        cosines = one @ two.T
        decoders[f"{a} {b}"] = {
            "signed": similarity(cosines), "absolute": similarity(np.abs(cosines))
        }

# Activations of two shipped SAEs at layer 6 on the same tokens.
T, SAMPLES, K, LAYER = 32, 6, 16, 6
tokenizer = AutoTokenizer.from_pretrained(checkpoints / "tiny-llama")
model = AutoModelForCausalLM.from_pretrained(
    checkpoints / "tiny-llama", dtype=torch.float32, attn_implementation="eager"
).eval()
texts = []
for line in open(checkpoints / "eval" / "eval.jsonl"):
    words = json.loads(line)["text"].split()
    texts += [
        tokenizer(" ".join(words[i : i + T]))["input_ids"][:T] for i in range(0, len(words), T)
    ]
inputs = []
for ids in texts[:SAMPLES]:
    with torch.no_grad():
        hidden = model(torch.tensor([ids]), output_hidden_states=True).hidden_states[LAYER]
    inputs.append(hidden[0].double())
h = torch.cat(inputs)
x = (h - h.mean(-1, keepdim=True)) / (h.std(-1, keepdim=True) + 1e-6)


def latents(kind):
    w = {k: v.double() for k, v in torch.load(checkpoints / f"{kind}_tiny.pt").items()}
    a = (x - w["pre_bias"]) @ w["encoder.weight"].T + w["latent_bias"]
    if kind == "Vanilla":
        return a.relu().numpy(), w["decoder.weight"].T.numpy()
    values, at = a.topk(K, -1)
    return torch.zeros_like(a).scatter(-1, at, values).numpy(), w["decoder.weight"].T.numpy()


(za, da), (zb, db) = latents("TopK"), latents("Vanilla")


def varying(z):
    return z[:, np.ptp(z, axis=0) > 0]


centered = [v - v.mean(0) for v in (varying(za), varying(zb))]
standard = [v / np.linalg.norm(v, axis=0) for v in centered]
run = {
    "decoders": similarity(unit(da) @ unit(db).T),
    "activations": {"tokens": len(za), **similarity(standard[0].T @ standard[1])},
}

expected = {"matrices": matrices, "decoders": decoders, "run": run}
json.dump(expected, open(here / "expected.json", "w"))
