"""Scores of SAEs by hooks on transformers, three forward passes for each SAE and batch.

`npm run bench` compares with it. It computes what SAEBench's core evaluation computes for one SAE:
the cross-entropy clean, with the reconstruction spliced in, and with the site at zero; the KL
divergence of the second from the first; the squared error, L0 and the explained variance. It takes
the kinds that have one site; a batch's clean pass is computed again for every SAE, as one call for
each SAE does.

    python hooked_evaluator.py --model DIR --data FILE --saes JSON
"""

import argparse
import json
import resource
import time

import pytorch_evaluator as scripts

STARTED = time.perf_counter()


def cross_entropy(logits, ids, mask):
    import torch.nn.functional as F

    real = mask[:, 1:].bool()
    return F.cross_entropy(logits[:, :-1][real], ids[:, 1:][real]).item()


def scores(model, sae, layer, ids, mask):
    """One batch of one SAE."""
    import torch
    import torch.nn.functional as F

    real = mask.bool()
    seen = {}

    def splice(h):
        seen["h"] = h[real]
        seen["latents"] = sae.encode(scripts.normalize(h))[real]
        change = sae.splice(h)
        seen["out"] = change[real]
        return change

    clean, _ = scripts.forward(model, ids, mask, [(layer, lambda h: h)])
    spliced, _ = scripts.forward(model, ids, mask, [(layer, splice)])
    zeroed, _ = scripts.forward(model, ids, mask, [(layer, torch.zeros_like)])
    h, out = seen["h"], seen["out"]
    kl = F.kl_div(
        spliced.log_softmax(-1)[real], clean.log_softmax(-1)[real], log_target=True, reduction="sum"
    )
    error = (out - h).square().sum(-1)
    return {
        "ce_clean": cross_entropy(clean, ids, mask),
        "ce_spliced": cross_entropy(spliced, ids, mask),
        "ce_zeroed": cross_entropy(zeroed, ids, mask),
        "kl": (kl / real.sum()).item(),
        "l2": error.mean().item(),
        "l0": (seen["latents"] > 0).sum(-1).float().mean().item(),
        "explained": (1 - error.sum() / (h - h.mean(0)).square().sum()).item(),
    }


def main():
    import torch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--saes", required=True, help="JSON: SAEs with a layer of the request")
    parser.add_argument("--seq-len", type=int, default=256)
    parser.add_argument("--max-samples", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    options.device, options.dtype = "cpu", "float32"
    model, tokenizer = scripts.load(options)
    texts = scripts.chunks(options.data, "text", options.seq_len, options.max_samples)
    results = {}
    for spec in json.loads(options.saes):
        weights = torch.load(spec["checkpoint"], weights_only=True)
        sae = scripts.Sae(spec["kind"], weights, spec.get("k"))
        parts = [
            scores(model, sae, spec["layer"], ids, mask)
            for ids, mask in scripts.batches(
                tokenizer, texts, options.seq_len, options.batch_size, "cpu"
            )
        ]
        results[spec["kind"]] = {
            name: sum(part[name] for part in parts) / len(parts) for name in parts[0]
        }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    seconds = time.perf_counter() - STARTED
    print(json.dumps({"results": results, "seconds": {"total": seconds}, "peakBytes": peak}))


if __name__ == "__main__":
    main()
