"""Probes by scikit-learn: on random features, and on latents of a shipped SAE over labelled texts.

Needs torch, transformers, numpy, safetensors and scikit-learn. Run in this folder: `python make.py`
writes small SAEs (`*.safetensors`) and expected.json. It follows docs/reference/probes.md and knows
nothing of the code under test: the language model runs in float32, everything after it in float64.
No document's score may lie so near to 0 that rounding decides it.
"""
import json
from math import ceil
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
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
special = set(tokenizer.all_special_ids)
records = [json.loads(line) for line in open(checkpoints / "labelled" / "topics.jsonl")]
hidden = []
for record in records:
    ids = tokenizer(record["text"])["input_ids"][:T]
    with torch.no_grad():
        h = model(torch.tensor([ids]), output_hidden_states=True).hidden_states[LAYER][0].double()
    hidden.append(h[torch.tensor([i not in special for i in ids])])


class TopK:
    """The shipped SAE, which reads (h - mean) / (std + 1e-6)."""

    def __init__(self):
        self.w = {k: v.double() for k, v in torch.load(checkpoints / "TopK_tiny.pt").items()}

    def encode(self, h):
        w, mean, std = self.w, h.mean(-1, keepdim=True), h.std(-1, keepdim=True)
        a = ((h - mean) / (std + 1e-6) - w["pre_bias"]) @ w["encoder.weight"].T + w["latent_bias"]
        values, at = a.topk(K, -1)
        return torch.zeros_like(a).scatter(-1, at, values)

    def decode(self, z, h):
        x = z @ self.w["decoder.weight"].T + self.w["pre_bias"]
        return x * h.std(-1, keepdim=True) + h.mean(-1, keepdim=True)


class Planted:
    """Latents that are always active, as ReLU of h less a bias, with no normalization."""

    def __init__(self, rows, bias):
        self.rows, self.bias = rows, bias

    def encode(self, h):
        return (h @ self.rows.T + self.bias).relu()

    def decode(self, z, h):
        return z @ self.rows


activations = np.array([h.mean(0).numpy() for h in hidden])
sae = TopK()
run = {
    field: {
        "latents": probe(
            np.array([sae.encode(h).mean(0).numpy() for h in hidden]), [r[field] for r in records]
        ),
        "activations": probe(activations, [r[field] for r in records]),
    }
    for field in ["label", "tense"]
}

# Latents set to zero, token by token, with the error of the reconstruction kept.
ABLATED = [2, 5, 10, 20, 50, 100, 500]


def fit(x, y):
    return LogisticRegression(C=1.0, tol=1e-9, max_iter=20000).fit(x, y)


def ablated(sae, h, latents):
    z = sae.encode(h)
    error = h - sae.decode(z, h)
    z = z.clone()
    z[:, latents] = 0
    return (sae.decode(z, h) + error).mean(0).numpy()


def gains(sae, m, w):
    """What a probe's score gains by one unit of each latent, in the SAE's own space."""
    rows = sae.w["decoder.weight"].T if isinstance(sae, TopK) else sae.rows
    return rows.numpy() @ w


def written(sae, h):
    """Mean over tokens of the latents times what the decoder's output is multiplied by."""
    z = sae.encode(h)
    scale = h.std(-1, keepdim=True) if isinstance(sae, TopK) else 1.0
    return (z * scale).mean(0).numpy()


def first(effects, n):
    order = [i for i in np.argsort(-np.where(effects == 0, -np.inf, effects), kind="stable")]
    return [i for i in order[:n] if effects[i] != 0]


def check(scores, what):
    if np.abs(scores).min() < 1e-4:
        print("near 0:", what, np.abs(scores).min())
    return scores


def perturbation(sae, labels):
    folds = folds_of(labels)
    means = np.array([written(sae, h) for h in hidden])
    m = means.shape[1]
    tasks = list(tasks_of(labels))
    sizes = [n for n in ABLATED if n <= m]
    clean = [np.zeros(len(rows), bool) for _, rows, _ in tasks]
    after = {n: [[np.zeros(len(r), bool) for _, r, _ in tasks] for _ in tasks] for n in sizes}
    for f in range(FOLDS):
        models, chosen = [], []
        for _, rows, y in tasks:
            rows = np.array(rows)
            train = folds[rows] != f
            models.append(fit(activations[rows[train]], y[train]))
            x = means[rows[train]]
            difference = x[y[train] == 1].mean(0) - x[y[train] == 0].mean(0)
            effects = np.maximum(difference, 0) * gains(sae, m, models[-1].coef_[0])
            chosen.append({n: first(effects, n) for n in sizes})
        for t, (_, rows, y) in enumerate(tasks):
            for at, row in enumerate(rows):
                if folds[row] != f:
                    continue
                score = check(models[t].decision_function(activations[[row]]), "clean")
                clean[t][at] = (score[0] > 0) == (y[at] == 1)
                for i in range(len(tasks)):
                    for n in sizes:
                        x = ablated(sae, hidden[row], chosen[i][n])
                        score = check(models[t].decision_function(x[None]), "ablated")
                        after[n][i][t][at] = (score[0] > 0) == (y[at] == 1)
    before = np.array([c.mean() for c in clean])
    found = []
    for n in sizes:
        lost = before - np.array([[a.mean() for a in own] for own in after[n]])
        intended = np.diag(lost).mean()
        unintended = np.mean([np.delete(row, i).mean() for i, row in enumerate(lost)])
        found.append({"latents": n, "intended": intended, "unintended": unintended})
    return {"clean": before.mean(), "top": found}


def removal(sae, documents, labels, spurious):
    """Spurious correlation removal between two labels of two values each."""
    a = [sorted(set(labels)).index(x) for x in labels]
    b = [sorted(set(spurious)).index(x) for x in spurious]
    cells = [[i for i in range(len(a)) if (a[i], b[i]) == cell]
             for cell in [(0, 0), (0, 1), (1, 0), (1, 1)]]
    count = min(map(len, cells))
    cells = [spread(cell, count) for cell in cells]
    fold = {row: n % FOLDS for cell in cells for n, row in enumerate(cell)}
    rows = [row for cell in cells for row in cell]
    targets = [np.array([1 - a[row] for row in rows]), np.array([1 - b[row] for row in rows])]
    biased = cells[0] + cells[3]
    biased_y = np.array([1] * count + [0] * count)
    x = activations[documents]
    means = np.array([written(sae, hidden[i]) for i in documents])
    m = means.shape[1]
    sizes = [n for n in ABLATED if n <= m]
    before = [np.zeros(len(rows), bool) for _ in "ab"]
    clean = [np.zeros(len(rows), bool) for _ in "ab"]
    after = {n: [np.zeros(len(rows), bool) for _ in "ab"] for n in sizes}
    for f in range(FOLDS):
        keep = np.array([fold[row] != f for row in biased])
        bias = fit(x[np.array(biased)[keep]], biased_y[keep])
        train = np.array([fold[row] != f for row in rows])
        at = np.array(rows)[train]
        models = [fit(x[at], y[train]) for y in targets]
        chosen = []
        for y, model_ in zip(targets, models):
            z = means[at]
            difference = z[y[train] == 1].mean(0) - z[y[train] == 0].mean(0)
            effects = np.abs(difference * gains(sae, m, model_.coef_[0]))
            chosen.append({n: first(effects, n) for n in sizes})
        for n_, row in enumerate(rows):
            if fold[row] != f:
                continue
            for t in range(2):
                positive = targets[t][n_] == 1
                score = check(bias.decision_function(x[[row]]), "before")[0]
                before[t][n_] = (score > 0) == positive
                score = check(models[t].decision_function(x[[row]]), "clean")[0]
                clean[t][n_] = (score > 0) == positive
                for n in sizes:
                    changed = ablated(sae, hidden[documents[row]], chosen[1 - t][n])
                    score = check(bias.decision_function(changed[None]), "after")[0]
                    after[n][t][n_] = (score > 0) == positive
    t = 0 if before[0].mean() <= before[1].mean() else 1
    room = clean[t].mean() - before[t].mean()
    return {
        "direction": ["label", "spurious"][t],
        "before": before[t].mean(), "clean": clean[t].mean(),
        "top": [
            {"latents": n, "after": after[n][t].mean(),
             "score": 0 if room < 0.001 else (after[n][t].mean() - before[t].mean()) / room}
            for n in sizes
        ],
    }


# An SAE with a latent for each topic (0, 1, 2) and one for the tense (5).
topics = sorted({r["label"] for r in records})
number = np.array([topics.index(r["label"]) for r in records])
past = np.array([r["tense"] == "past" for r in records])
noise = 0.02 * rng.normal(size=(8, activations.shape[1]))


def direction(chosen):
    difference = activations[chosen].mean(0) - activations[~chosen].mean(0)
    return difference / np.linalg.norm(difference)


rows = noise.copy()
for topic in range(3):
    rows[topic] = direction(number == topic)
rows[5] = direction(past)
rows = torch.tensor(rows, dtype=torch.float32)
projections = torch.cat(hidden).float() @ rows.T
bias = (1 - projections.min(0).values).float()
save_file(
    {
        "encoder.weight": rows.contiguous(), "decoder.weight": rows.T.contiguous(),
        "pre_bias": torch.zeros(rows.shape[1]), "latent_bias": bias,
    },
    here / "planted.safetensors",
)
# One latent for each of eight dimensions.
save_file(
    {
        "encoder.weight": torch.eye(8), "decoder.weight": torch.eye(8),
        "pre_bias": torch.zeros(8), "latent_bias": torch.zeros(8),
    },
    here / "axes.safetensors",
)
planted = Planted(rows.double(), bias.double())
two = [i for i, r in enumerate(records) if r["label"] != "weather"]
labels_of = lambda field, at: [records[i][field] for i in at]
everything = list(range(len(records)))
run["perturbation"] = {
    "TopK": perturbation(sae, labels_of("label", everything)),
    "planted": perturbation(planted, labels_of("label", everything)),
}
run["removal"] = {
    "TopK": removal(sae, two, labels_of("label", two), labels_of("tense", two)),
    "planted": removal(planted, two, labels_of("label", two), labels_of("tense", two)),
}
print(json.dumps(run["perturbation"]), json.dumps(run["removal"]))
json.dump({"synthetic": synthetic, "run": run}, open(here / "expected.json", "w"))
