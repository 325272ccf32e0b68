"""Probes by scikit-learn: on random features, and on latents of a shipped SAE over labelled texts.

Needs torch, transformers, numpy and scikit-learn. Run in this folder: `python make.py` writes
expected.json. It follows docs/reference/probes.md and knows nothing of the code under test: the
language model runs in float32, everything after it in float64. No document's score may lie so near
to 0 that rounding decides it.
"""
import json
from math import ceil
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from transformers import AutoModelForCausalLM, AutoTokenizer

here = Path(__file__).resolve().parent
checkpoints = here.parents[2] / "checkpoints"
FOLDS, SIZES = 5, [1, 2, 5]


def spread(all_, count):
    kept = min(count, len(all_))
    return [all_[i * len(all_) // kept] for i in range(kept)]


def tasks_of(labels):
    names = sorted(set(labels))
    rows = {name: [i for i, label in enumerate(labels) if label == name] for name in names}
    for name in names:
        others = [rows[other] for other in names if other != name]
        each = ceil(len(rows[name]) / len(others))
        against = spread([i for some in others for i in spread(some, each)], len(rows[name]))
        own = spread(rows[name], len(against))
        yield name, own + against, np.array([1] * len(own) + [0] * len(against))


def folds_of(labels):
    seen = {}
    folds = []
    for label in labels:
        folds.append(seen.get(label, 0) % FOLDS)
        seen[label] = seen.get(label, 0) + 1
    return np.array(folds)


def select(x, y, k):
    difference = np.abs(x[y == 1].mean(0) - x[y == 0].mean(0))
    return np.argsort(-difference, kind="stable")[:k]


def probe(features, labels):
    folds = folds_of(labels)
    found = {}
    for k in [*SIZES, None]:
        for name, rows, y in tasks_of(labels):
            x, fold = features[rows], folds[rows]
            right = np.zeros(len(rows), bool)
            for f in range(FOLDS):
                train, test = fold != f, fold == f
                columns = (
                    np.arange(x.shape[1]) if k is None else select(x[train], y[train], k)
                )
                model = LogisticRegression(C=1.0, tol=1e-9, max_iter=20000)
                model.fit(x[train][:, columns], y[train])
                scores = model.decision_function(x[test][:, columns])
                if np.abs(scores).min() < 1e-4:
                    print("near 0:", k, name, f, np.abs(scores).min())
                right[test] = (scores > 0) == (y[test] == 1)
            found.setdefault(str(k), {})[name] = float(right.mean())
    return found


# Random features of 90 documents with three labels, of which some features tell a little.
rng = np.random.default_rng(11)
labels = [["red", "green", "blue"][i] for i in rng.integers(0, 3, 90)]
number = np.array([["red", "green", "blue"].index(label) for label in labels])
features = rng.exponential(1, (90, 30)) * (rng.uniform(size=(90, 30)) < 0.3)
features[:, 3] += 1.5 * (number == 0)
features[:, 7] += 1.0 * (number == 1)
features[:, 8] += 0.7 * (number == 1)
features = features.round(4)
synthetic = {
    "labels": labels, "features": features.ravel().tolist(), "columns": 30,
    "accuracy": probe(features, labels),
}

# Means of the latents and of the activations of layer 6 over the labelled texts.
T, K, LAYER = 64, 16, 10
tokenizer = AutoTokenizer.from_pretrained(checkpoints / "tiny-llama")
model = AutoModelForCausalLM.from_pretrained(
    checkpoints / "tiny-llama", dtype=torch.float32, attn_implementation="eager"
).eval()
w = {k: v.double() for k, v in torch.load(checkpoints / "TopK_tiny.pt").items()}
special = set(tokenizer.all_special_ids)
records = [json.loads(line) for line in open(checkpoints / "labelled" / "topics.jsonl")]
latents, activations = [], []
for record in records:
    ids = tokenizer(record["text"])["input_ids"][:T]
    with torch.no_grad():
        h = model(torch.tensor([ids]), output_hidden_states=True).hidden_states[LAYER][0].double()
    counted = torch.tensor([i not in special for i in ids])
    x = (h - h.mean(-1, keepdim=True)) / (h.std(-1, keepdim=True) + 1e-6)
    a = (x - w["pre_bias"]) @ w["encoder.weight"].T + w["latent_bias"]
    values, at = a.topk(K, -1)
    z = torch.zeros_like(a).scatter(-1, at, values)
    latents.append(z[counted].mean(0).numpy())
    activations.append(h[counted].mean(0).numpy())
run = {
    field: {
        "latents": probe(np.array(latents), [r[field] for r in records]),
        "activations": probe(np.array(activations), [r[field] for r in records]),
    }
    for field in ["label", "tense"]
}
json.dump({"synthetic": synthetic, "run": run}, open(here / "expected.json", "w"))
