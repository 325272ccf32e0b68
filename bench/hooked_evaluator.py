"""Scores of SAEs by hooks on transformers, three forward passes for each SAE and batch.

`npm run bench` compares with it. It computes what SAEBench's core evaluation computes for one SAE:
the cross-entropy clean, with the reconstruction spliced in, and with the site at zero; the KL
divergence of the second from the first; L0 and the explained variance. Special tokens count
nowhere. It takes the kinds that have one site; a batch's clean pass is computed again for every
SAE, as one call for each SAE does.

    python hooked_evaluator.py --model DIR --data FILE --saes JSON
"""

import argparse
import json
import resource
import time

import pytorch_evaluator as scripts

STARTED = time.perf_counter()


def scores(model, sae, layer, ids, mask, counted):
    """Sums over the counted positions of one batch of one SAE."""
    import torch
    import torch.nn.functional as F

    seen = {}

    def splice(h):
        seen["h"] = h[counted]
        seen["latents"] = sae.encode(scripts.normalize(h))[counted]
        change = sae.splice(h)
        seen["out"] = change[counted]
        return change

    # The last position predicts nothing, and neither does the last one before padding.
    predicts = counted[:, :-1] & mask[:, 1:].bool()

    def cross_entropy(logits):
        wanted = ids[:, 1:][predicts]
        return F.cross_entropy(logits[:, :-1][predicts], wanted, reduction="sum").item()

    clean, _ = scripts.forward(model, ids, mask, [(layer, lambda h: h)])
    spliced, _ = scripts.forward(model, ids, mask, [(layer, splice)])
    zeroed, _ = scripts.forward(model, ids, mask, [(layer, torch.zeros_like)])
    h, out = seen["h"], seen["out"]
    kl = F.kl_div(
        spliced.log_softmax(-1)[counted],
        clean.log_softmax(-1)[counted],
        log_target=True,
        reduction="sum",
    )
    return {
        "counted": counted.sum().item(),
        "predicting": predicts.sum().item(),
        "ce_clean": cross_entropy(clean),
        "ce_spliced": cross_entropy(spliced),
        "ce_zeroed": cross_entropy(zeroed),
        "kl": kl.item(),
        "l0": (seen["latents"] != 0).sum().item(),
        "error_mean": (out - h).square().sum(-1).mean().item(),
        "square_mean": h.square().sum(-1).mean().item(),
        "width": h.shape[-1],
    }


def result(parts):
    """One SAE's numbers under SAEBench's names; its explained variance is one of batches."""
    total = {name: sum(part[name] for part in parts) for name in parts[0]}
    error, square = total["error_mean"] / len(parts), total["square_mean"] / len(parts)
    of_all_dimensions = square / parts[0]["width"]
    return {
        "ce_loss_without_sae": total["ce_clean"] / total["predicting"],
        "ce_loss_with_sae": total["ce_spliced"] / total["predicting"],
        "ce_loss_with_ablation": total["ce_zeroed"] / total["predicting"],
        "kl_div_with_sae": total["kl"] / total["counted"],
        "l0": total["l0"] / total["counted"],
        "explained_variance": 1 - error / (square - of_all_dimensions**2),
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
    special = torch.tensor(
        [
            token
            for token in (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
            if token is not None
        ]
    )
    results = {}
    for spec in json.loads(options.saes):
        weights = torch.load(spec["checkpoint"], weights_only=True)
        sae = scripts.Sae(spec["kind"], weights, spec.get("k"))
        parts = [
            scores(
                model, sae, spec["layer"], ids, mask, mask.bool() & ~torch.isin(ids, special)
            )
            for ids, mask in scripts.batches(
                tokenizer, texts, options.seq_len, options.batch_size, "cpu"
            )
        ]
        results[spec["kind"]] = result(parts)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    seconds = time.perf_counter() - STARTED
    print(json.dumps({"results": results, "seconds": {"total": seconds}, "peakBytes": peak}))


if __name__ == "__main__":
    main()
