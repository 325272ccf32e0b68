"""What block 2's MLP reads and computes in models of ../models-odd, by hooks on transformers.

expected.safetensors has, for each model, mlp_in, ln2_normalized (the norm's formula without its
weight), ln2_out and mlp_post, [B, T, ...], float32 with eager attention, on the model's own
input_ids and attention_mask. Made with torch 2.13, transformers 5.18: python make.py
"""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

here = Path(__file__).parent
models = here.parent / "models-odd"
# Norm before the MLP, MLP, the MLP's last layer.
llama = ("post_attention_layernorm", "mlp", "mlp.down_proj")
names = {
    "llama-llama3": llama,
    "mistral-full": llama,
    "qwen3-bias": llama,
    "phi3-sliding": llama,
    "gemma2-sliding": ("pre_feedforward_layernorm", "mlp", "mlp.down_proj"),
    "olmo2-bias": (None, "mlp", "mlp.down_proj"),
    "gpt2-unscaled": ("ln_2", "mlp", "mlp.c_proj"),
    "gpt-neo-local": ("ln_2", "mlp", "mlp.c_proj"),
    "neox-linear": ("post_attention_layernorm", "mlp", "mlp.dense_4h_to_h"),
    "neox-sequential": ("post_attention_layernorm", "mlp", "mlp.dense_4h_to_h"),
    "granite": llama,
    "olmo-clip": llama,
    "glm4": llama,
    "stablelm": llama,
    "cohere": ("input_layernorm", "mlp", "mlp.down_proj"),
    "phi": ("input_layernorm", "mlp", "mlp.fc2"),
    "gptj": ("ln_1", "mlp", "mlp.fc_out"),
    "falcon-grouped": ("ln_mlp", "mlp", "mlp.dense_4h_to_h"),
    "opt": ("final_layer_norm", "fc1", "fc2"),
    "opt-post-norm": (None, "fc1", "fc2"),
}


def normalized(norm, x):
    eps = getattr(norm, "variance_epsilon", None) or getattr(norm, "eps", 1e-5)
    if "LayerNorm" in type(norm).__name__:
        centered = x - x.mean(-1, keepdim=True)
        return centered / (x.var(-1, unbiased=False, keepdim=True) + eps).sqrt()
    return x / (x.pow(2).mean(-1, keepdim=True) + eps).sqrt()


everything = {}
for name, (norm, mlp, last) in names.items():
    given = load_file(models / name / "expected.safetensors")
    model = AutoModelForCausalLM.from_pretrained(
        models / name, attn_implementation="eager", dtype=torch.float32
    ).eval()
    block = next(m for n, m in model.named_modules() if n.endswith(("layers.1", ".h.1")))
    seen = {}
    keep = lambda key: lambda _, args: seen.__setitem__(key, args[0].clone())
    hooks = [
        block.get_submodule(norm or mlp).register_forward_pre_hook(keep("mlp_in")),
        block.get_submodule(mlp).register_forward_pre_hook(keep("ln2_out")),
        block.get_submodule(last).register_forward_pre_hook(keep("mlp_post")),
    ]
    with torch.no_grad():
        result = model(given["input_ids"], attention_mask=given["attention_mask"], use_cache=False)
    assert torch.allclose(result.logits, given["logits"], atol=1e-4), name
    if norm is not None:
        with torch.no_grad():
            seen["ln2_normalized"] = normalized(block.get_submodule(norm), seen["mlp_in"])
    shape = given["input_ids"].shape
    for key, value in seen.items():
        everything[f"{name}.{key}"] = value.reshape(*shape, -1).contiguous()
save_file(everything, here / "expected.safetensors")
print({key: list(value.shape) for key, value in everything.items()})
