"""Files that say something beside their tensors, or against them, and what PyTorch computes.

python make_values.py (needs torch and safetensors): writes values/ and expected-values.json.
"""

import json
import pathlib
import shutil

import torch
from safetensors.torch import save_file

here = pathlib.Path(__file__).parent
out = here / "values"
shutil.rmtree(out, ignore_errors=True)
out.mkdir()
torch.manual_seed(7)
d, m, k = 4, 6, 2
encoder, decoder = torch.randn(m, d), torch.randn(d, m)
encoder_bias, decoder_bias = torch.randn(m) * 0.3, torch.randn(d) * 0.3
h = torch.randn(5, d) * 2
linear = {
    "encoder.weight": encoder,
    "encoder.bias": encoder_bias,
    "decoder.weight": decoder,
    "decoder.bias": decoder_bias,
}
subtracting = {name: t for name, t in linear.items() if name != "decoder.bias"}
subtracting["b_dec"] = decoder_bias
files = {}


def topk(a):
    values, places = a.topk(k)
    return torch.zeros_like(a).scatter(-1, places, values.relu())


def latents(x):
    return x @ encoder.T + encoder_bias


def decode(z):
    return z @ decoder.T + decoder_bias


def expect(name, given, reconstruction):
    files[name] = {"given": given, "reconstruction": reconstruction.tolist()}


def folder(name, config, tensors, weights, config_name="cfg.json"):
    at = out / name
    at.mkdir()
    text = config if isinstance(config, str) else json.dumps(config)
    (at / config_name).write_text(text)
    save_file({n: t.contiguous() for n, t in tensors.items()}, str(at / weights))


# dictionary_learning's backup without its config.json.
backup = {"step": 3, "ae": {**subtracting, "k": torch.tensor(k)}, "norm_factor": 2.0}
torch.save(backup, out / "backup.pt")
expect("backup.pt", {"kind": "TopK"}, 2 * decode(topk(latents(h / 2 - decoder_bias))))

torch.save({"state_dict": linear, "k": k}, out / "count.pt")
expect("count.pt", {"kind": "TopK"}, decode(topk(latents(h))))

torch.save({"model": linear, "config": {"apply_b_dec_to_input": True}}, out / "subtracts.pt")
expect("subtracts.pt", {"kind": "Vanilla"}, decode(latents(h - decoder_bias).relu()))

torch.save({"model": linear, "norm_factor": 2.0}, out / "scaled.pt")
expect("scaled.pt", {"kind": "Vanilla", "scale": 0.5}, 2 * decode(latents(h / 2).relu()))

settings = {"normalize_activations": "layer_norm", "activation": "topk"}
torch.save({"model": linear, "cfg": settings}, out / "normalized.pt")
expect("normalized.pt", {"kind": "Vanilla", "normalization": "none"}, decode(latents(h).relu()))

torch.save({"model": linear, "input_scale": torch.tensor(2.0)}, out / "tensor-beside.pt")

# A transcoder of sparsify with what its latents get after the choice.
sparsify = {"encoder.weight": encoder, "encoder.bias": encoder_bias, "W_dec": decoder.T}
sparsify["b_dec"] = decoder_bias
settings = {"d_in": d, "k": k, "num_latents": m, "transcode": True}
for name, after in [("post-encoder", torch.randn(m)), ("layers.1.mlp", torch.zeros(m))]:
    folder(name, settings, {**sparsify, "post_enc": after}, "sae.safetensors")
expect("layers.1.mlp", {}, decode(topk(latents(h).relu())))

openmoss = {"W_E": encoder.T, "b_E": encoder_bias, "W_D": decoder.T, "b_D": decoder_bias}
glu = {"W_E_glu": torch.randn(d, m), "b_E_glu": torch.randn(m)}
settings = {"d_model": d, "expansion_factor": m / d, "act_fn": "relu", "use_glu_encoder": False}
settings.update(hook_point_in="blocks.1.hook_resid_post", hook_point_out="blocks.1.hook_resid_post")
folder("glu", settings, {**openmoss, **glu}, "sae_weights.safetensors", "config.json")

saelens = {"W_enc": encoder.T, "b_enc": encoder_bias, "W_dec": decoder.T, "b_dec": decoder_bias}
common = {"d_in": d, "d_sae": m, "dtype": "float32", "hook_name": "blocks.1.hook_resid_post"}
common["apply_b_dec_to_input"] = False


def sae_lens(name, more, tensors=saelens, text=None):
    config = json.dumps({**common, **more}) if text is None else text
    folder(name, config, tensors, "sae_weights.safetensors")


old = {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": k}}
threshold = {"threshold": torch.full((m,), 0.1)}
sae_lens("jumprelu-topk", {"architecture": "jumprelu", **old}, {**saelens, **threshold})
sae_lens("two-counts", {"architecture": "topk", "k": 3, **old})
sae_lens("dtype", {"architecture": "standard", "dtype": "int8"})
sae_lens("half", {"architecture": "standard", "dtype": "torch.half"})
rounded = {name: t.half().float() for name, t in saelens.items()}
z = (h @ rounded["W_enc"] + rounded["b_enc"]).relu()
expect("half", {}, z @ rounded["W_dec"] + rounded["b_dec"])
# Python's json writes numbers that JSON has no words for.
python = json.dumps({**common, "architecture": "standard", "l1_coefficient": float("nan")})
sae_lens("not-a-number", {}, text="\ufeff" + python)
expect("not-a-number", {}, decode(latents(h).relu()))

# OpenAI's loader normalizes what TopK reads, and nothing else.
openai = {"encoder.weight": encoder, "decoder.weight": decoder, "latent_bias": encoder_bias}
openai.update(pre_bias=torch.zeros(d), activation="ReLU", activation_state_dict={}, normalize=True)
torch.save(openai, out / "openai-normalized.pt")

(here / "expected-values.json").write_text(json.dumps({"h": h.tolist(), "files": files}) + "\n")
