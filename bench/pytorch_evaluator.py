"""The `reference` numbers in plain PyTorch, computed the way the public scripts compute them.

`npm run bench` compares with it. For each SAE, each metric and every batch it runs one full forward
pass that keeps all hidden states, the SAE on its sites, and for KL one more full forward pass per
splice with a hook on a block, then softmax, log_softmax and kl_div over the whole logits. Its
numbers are those of `test/golden/expected.json`; `--check` compares.

    python pytorch_evaluator.py evaluate --model DIR --data FILE --saes JSON
    python pytorch_evaluator.py evaluate … --process-per-metric
    python pytorch_evaluator.py make --shape llama-3.2-1b --out DIR --tokenizer TOKENIZER

JSON is a list of SAEs: '[{"kind": "TopK", "checkpoint": "…", "layer": 16, "k": 16}]'. With
`--process-per-metric`, imports and loads count for every pair of SAE and metric, as users run them.

Needs torch and transformers. Prints one JSON object: numbers, seconds of each pair and of all, and
peak memory in bytes.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

STARTED = time.perf_counter()
METRICS = ("NormMSE", "KLDiv")


# --- data ----------------------------------------------------------------------------------------


def chunks(path, text_field, seq_len, max_samples):
    """Each record's words, `seq_len` at a time, joined by one space."""
    path = Path(path)
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    found = []
    for file in files:
        with open(file, encoding="utf-8-sig") as lines:
            for line in lines:
                try:
                    text = json.loads(line).get(text_field)
                except (ValueError, AttributeError):
                    continue
                if not isinstance(text, str):
                    continue
                words = text.split()
                for start in range(0, len(words), seq_len):
                    found.append(" ".join(words[start : start + seq_len]))
                    if len(found) == max_samples:
                        return found
    return found


def batches(tokenizer, texts, seq_len, batch_size, device):
    import torch

    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    for start in range(0, len(texts), batch_size):
        encoded = [
            tokenizer(text)["input_ids"][:seq_len] for text in texts[start : start + batch_size]
        ]
        ids = torch.full((len(encoded), seq_len), pad)
        mask = torch.zeros((len(encoded), seq_len), dtype=torch.long)
        for row, tokens in enumerate(encoded):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = 1
        yield ids.to(device), mask.to(device)


# --- SAEs ----------------------------------------------------------------------------------------


def statistics(h):
    return h.mean(-1, keepdim=True), h.std(-1, keepdim=True)  # std divides by d − 1


def normalize(h):
    mean, std = statistics(h)
    return ((h - mean) / (std + 1e-6)).float()


def keep_largest(a, k):
    import torch

    values, indices = a.topk(min(k, a.shape[-1]), dim=-1)
    return torch.zeros_like(a).scatter_(-1, indices, values)


class Sae:
    """One kind's encoder and decoder over its state dict; dense, as the scripts write it."""

    def __init__(self, kind, weights, k=None):
        self.kind, self.k = kind, k
        inner = "sae." if kind == "RouteSAE" else ""
        self.w = {name.removeprefix(inner): tensor.float() for name, tensor in weights.items()}

    def encode(self, x):
        import torch

        w = self.w
        a = (x - w["pre_bias"]) @ w["encoder.weight"].T
        if self.kind == "Vanilla":
            return torch.relu(a + w["latent_bias"])
        if self.kind == "Gated":
            return (a + w["gate_bias"] > 0) * torch.relu(torch.exp(w["r_mag"]) * a + w["mag_bias"])
        if self.kind == "JumpReLU":
            a = a + w["latent_bias"]
            return a * (a > w["threshold"])
        return keep_largest(a + w["latent_bias"], self.k)

    def reconstruct(self, x):
        return self.encode(x) @ self.w["decoder.weight"].T + self.w["pre_bias"]

    def splice(self, h):
        mean, std = statistics(h)
        return (self.reconstruct(normalize(h)) * std + mean).to(h.dtype)

    def route(self, x):
        """x [B, T, R, d] → probabilities [B, T, R]."""
        return (x.sum(2) @ self.w["router.weight"].T).softmax(-1)

    def reconstruct_layers(self, x):
        """Crosscoder: x [B, T, R, d] → the same, from one set of latents."""
        import torch

        layers = range(x.shape[2])
        a = (
            sum(x[:, :, j] @ self.w[f"encoder.{j}.weight"].T for j in layers)
            + self.w["latent_bias"]
        )
        z = torch.relu(a)
        return torch.stack([z @ self.w[f"decoder.{j}.weight"].T for j in layers], 2)


def nmse(x, y):
    return ((y - x) ** 2).mean(-1) / (x**2).mean(-1)


# --- one SAE, one metric -------------------------------------------------------------------------


def forward(model, ids, mask, splices=()):
    """Logits and h_0 … h_L; `splices` are (block index from 1, function of that block's output)."""

    def hook(change):
        def replace(_module, _inputs, output):
            return (change(output[0]), *output[1:]) if isinstance(output, tuple) else change(output)

        return replace

    handles = [
        model.model.layers[layer - 1].register_forward_hook(hook(change))
        for layer, change in splices
    ]
    try:
        output = model(
            input_ids=ids, attention_mask=mask, output_hidden_states=not splices, use_cache=False
        )
    finally:
        for handle in handles:
            handle.remove()
    return output.logits.float(), output.hidden_states


def kl_per_sequence(clean, spliced):
    import torch.nn.functional as F

    return F.kl_div(spliced.log_softmax(-1), clean.softmax(-1), reduction="batchmean").item()


def routed_range(layers):
    return (0 if layers < 4 else layers // 4), 3 * layers // 4


def site(sae, layers, seed):
    if sae["kind"] != "RandomK" or "layer" in sae:
        return sae.get("layer")
    return random.Random(seed).randint(*routed_range(layers))


def norm_mse(kind, sae, hidden, layer, routed):
    """(the batch's value, per layer or None, positions per layer or None)"""
    import torch

    if kind not in ("RouteSAE", "MLSAE", "Crosscoder"):
        x = normalize(hidden[layer])
        return nmse(x, sae.reconstruct(x)).mean().item(), None, None
    x = torch.stack([normalize(hidden[i]) for i in routed], 2)  # [B, T, R, d]
    if kind == "Crosscoder":
        return nmse(x, sae.reconstruct_layers(x)).mean().item(), None, None
    if kind == "MLSAE":
        per_layer = [
            nmse(x[:, :, j], sae.reconstruct(x[:, :, j])).mean().item() for j in range(len(routed))
        ]
        return sum(per_layer) / len(per_layer), per_layer, None
    p, chosen = sae.route(x).max(-1)
    x = (
        x.gather(2, chosen[..., None, None].expand(-1, -1, 1, x.shape[-1])).squeeze(2)
        * p[..., None]
    )
    counts = [(chosen == j).sum().item() for j in range(len(routed))]
    return nmse(x, sae.reconstruct(x)).mean().item(), None, counts


def kl_div(kind, sae, model, ids, mask, layer, routed):
    """(the batch's value, per layer or None)"""
    import torch

    clean, hidden = forward(model, ids, mask)
    if kind == "MLSAE":  # one block later than measured
        per_layer = [
            kl_per_sequence(clean, forward(model, ids, mask, [(i + 1, sae.splice)])[0])
            for i in routed
        ]
        return sum(per_layer) / len(per_layer), per_layer
    if kind == "RouteSAE":
        chosen = sae.route(torch.stack([normalize(hidden[i]) for i in routed], 2)).argmax(-1)

        def at(j):
            return lambda h: torch.where((chosen == j)[..., None], sae.splice(h), h)

        splices = [(i, at(j)) for j, i in enumerate(routed)]
    else:
        splices = [(layer, sae.splice)]
    return kl_per_sequence(clean, forward(model, ids, mask, splices)[0]), None


def mean(values):
    return sum(values) / len(values)


def evaluate_pair(model, tokenizer, texts, spec, metric, options):
    """One SAE under one metric, from its own pass over the data."""
    import torch

    layers = model.config.num_hidden_layers
    first, last = routed_range(layers)
    routed = range(first, last + 1)
    layer = site(spec, layers, options.seed)
    weights = torch.load(spec["checkpoint"], weights_only=True, map_location=options.device)
    sae = Sae(spec["kind"], weights, spec.get("k"))
    values, per_layer, counts = [], [], []
    for ids, mask in batches(
        tokenizer, texts, options.seq_len, options.batch_size, options.device
    ):
        if metric == "NormMSE":
            _, hidden = forward(model, ids, mask)
            value, each, routed_positions = norm_mse(spec["kind"], sae, hidden, layer, routed)
            counts += [routed_positions] if routed_positions else []
        else:
            value, each = kl_div(spec["kind"], sae, model, ids, mask, layer, routed)
        values.append(value)
        per_layer += [each] if each else []
    result = {metric: mean(values)}
    if per_layer:
        result[f"{metric}PerLayer"] = [mean(column) for column in zip(*per_layer)]
    if counts:
        result["routedPositions"] = [sum(column) for column in zip(*counts)]
    return result


# --- runs ----------------------------------------------------------------------------------------


def pairs(saes):
    return [
        (spec, metric)
        for metric in METRICS
        for spec in saes
        if not (metric == "KLDiv" and spec["kind"] == "Crosscoder")
    ]


def load(options):
    import torch
    from transformers import AutoTokenizer, LlamaForCausalLM

    torch.set_grad_enabled(False)
    if options.threads:
        torch.set_num_threads(options.threads)
    model = LlamaForCausalLM.from_pretrained(
        options.model, dtype=getattr(torch, options.dtype)
    ).eval()
    return model.to(options.device), AutoTokenizer.from_pretrained(options.model)


def single_process(options, chosen):
    model, tokenizer = load(options)
    loaded = time.perf_counter()
    texts = chunks(options.data, options.text_field, options.seq_len, options.max_samples)
    results, seconds = {}, {}
    for spec, metric in chosen:
        started = time.perf_counter()
        results.setdefault(spec["kind"], {}).update(
            evaluate_pair(model, tokenizer, texts, spec, metric, options)
        )
        name = f"{spec['kind']} {metric}"
        seconds[name] = time.perf_counter() - started
        print(f"{name}: {seconds[name]:.1f} s", file=sys.stderr)
    return {
        "results": results,
        "seconds": {
            "startup": loaded - STARTED,
            "pairs": seconds,
            "total": time.perf_counter() - STARTED,
        },
    }


def process_per_metric(options, chosen):
    results, seconds, peak = {}, {}, 0
    for spec, metric in chosen:
        started = time.perf_counter()
        command = [
            sys.executable,
            __file__,
            *sys.argv[1:],
            "--saes",
            json.dumps([spec]),
            "--only",
            metric,
        ]
        command.remove("--process-per-metric")
        printed = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        results.setdefault(spec["kind"], {}).update(printed["results"][spec["kind"]])
        seconds[f"{spec['kind']} {metric}"] = time.perf_counter() - started
        peak = max(peak, printed["peakBytes"])
    return {
        "results": results,
        "seconds": {"pairs": seconds, "total": time.perf_counter() - STARTED},
        "peakBytes": peak,
    }


def evaluate(options):
    saes = json.loads(options.saes)
    chosen = [(spec, metric) for spec, metric in pairs(saes) if options.only in (None, metric)]
    run = process_per_metric if options.process_per_metric else single_process
    report = {
        "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        **run(options, chosen),
    }
    if not options.process_per_metric:
        report["peakBytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        report |= device_peak(options.device)
    if options.check:
        report["largestDeviation"] = check(report["results"], options.check)
    print(json.dumps(report))


def device_peak(device):
    import torch

    if not device.startswith("cuda"):
        return {}
    return {"devicePeakBytes": torch.cuda.max_memory_allocated(device)}


def check(results, case):
    """Largest relative deviation from a case of the golden numbers."""
    golden = json.loads((Path(__file__).parent.parent / "golden" / "expected.json").read_text())
    expected = next(entry for entry in golden["cases"] if entry["name"] == case)["results"]
    largest = 0.0
    for kind, numbers in results.items():
        for name, value in numbers.items():
            found = value if isinstance(value, list) else [value]
            wanted = expected[kind][name] if isinstance(value, list) else [expected[kind][name]]
            for a, b in zip(found, wanted, strict=True):
                largest = max(largest, abs(a - b) / abs(b))
    return largest


SHAPES = {
    "llama-3.2-1b": {
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 64,
        "vocab_size": 128256,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": True,
    },
    # As many numbers as GPT-2 small: two thirds of its MLP's width, since there are three factors.
    "gpt2-small-size": {
        "hidden_size": 768,
        "intermediate_size": 2048,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "num_key_value_heads": 12,
        "head_dim": 64,
        "vocab_size": 50257,
        "max_position_embeddings": 1024,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": True,
    },
    # For trying a bench out.
    "tiny": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "vocab_size": 4096,
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": True,
    },
}


def make(options):
    """A random model of a shape and its seven SAE files.

    The tokenizer is copied: its ids are a small part of the vocabulary.
    """
    import shutil

    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    torch.set_default_device(options.device)  # random numbers take a CPU half a minute
    torch.set_default_dtype(torch.bfloat16)  # half the file; both sides read it as float32
    shape = SHAPES[options.shape]
    out = Path(options.out)
    LlamaForCausalLM(LlamaConfig(**shape)).save_pretrained(out / "model")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(Path(options.tokenizer) / name, out / "model" / name)
    torch.set_default_dtype(torch.float32)
    first, last = routed_range(shape["num_hidden_layers"])
    d, m, layers = shape["hidden_size"], options.latents, last - first + 1
    base = lambda: {
        "pre_bias": torch.zeros(d),
        "encoder.weight": torch.randn(m, d) / d**0.5,
        "decoder.weight": torch.randn(d, m) / m**0.5,
    }
    with_bias = lambda: {**base(), "latent_bias": torch.zeros(m)}
    files = {
        "TopK": with_bias,
        "MLSAE": with_bias,
        "Vanilla": with_bias,
        "JumpReLU": lambda: {**with_bias(), "threshold": torch.full((m,), 2.5)},
        "Gated": lambda: {
            **base(),
            "gate_bias": torch.full((m,), -2.5),
            "mag_bias": torch.zeros(m),
            "r_mag": torch.zeros(m),
        },
        "RouteSAE": lambda: {
            "router.weight": torch.randn(layers, d) / d**0.5,
            **{f"sae.{name}": tensor for name, tensor in with_bias().items()},
        },
        "Crosscoder": lambda: {
            "latent_bias": torch.full((m,), -2.5),
            **{
                f"encoder.{j}.weight": torch.randn(m, d) / (d * layers) ** 0.5
                for j in range(layers)
            },
            **{f"decoder.{j}.weight": torch.randn(d, m) / m**0.5 for j in range(layers)},
        },
    }
    for kind, weights in files.items():
        if options.kinds is None or kind in options.kinds.split(","):
            torch.save({name: each.cpu() for name, each in weights().items()}, out / f"{kind}.pt")
    print(json.dumps({"model": str(out / "model"), "checkpoints": str(out)}))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("evaluate")
    run.set_defaults(command=evaluate)
    run.add_argument("--model", required=True)
    run.add_argument("--data", required=True)
    run.add_argument("--saes", required=True, help="JSON: the request's `saes`")
    run.add_argument("--text-field", default="text")
    run.add_argument("--seq-len", type=int, default=512)
    run.add_argument("--max-samples", type=int, default=10000)
    run.add_argument("--batch-size", type=int, default=64)
    run.add_argument("--dtype", default="float32")
    run.add_argument("--device", default="cpu")
    run.add_argument("--threads", type=int)
    run.add_argument("--seed", type=int, default=42)
    run.add_argument("--only", choices=METRICS)
    run.add_argument("--process-per-metric", action="store_true")
    run.add_argument(
        "--check", metavar="CASE", help="compare with this case of test/golden/expected.json"
    )
    files = commands.add_parser("make")
    files.set_defaults(command=make)
    files.add_argument("--shape", choices=SHAPES, default="llama-3.2-1b")
    files.add_argument("--out", required=True)
    files.add_argument("--tokenizer", required=True)
    files.add_argument("--latents", type=int, default=16384)
    files.add_argument("--device", default="cpu", help="that makes the random numbers")
    files.add_argument("--kinds", help="only these, by commas")
    options = parser.parse_args()
    options.command(options)


if __name__ == "__main__":
    main()
