"""Tiny random models with experts or linear attention, and their states by transformers.

The same files as make.py makes. Experts are written as transformers 5 has them, one tensor for all,
or as checkpoints on the hub have them, three for each (`split`). Made with torch 2.13, transformers
5.18:

    python make_experts.py                 all of them
    python make_experts.py qwen3-moe …     some
"""

import json
import re
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

here = Path(__file__).parent
wanted = sys.argv[1:]
sys.argv[1:] = ["none of make.py's own"]
from make import V, common, old_style, randomise, rope  # noqa: E402


def site_hooks(model, outputs):
    """Hooks for block 2's sites: z is the output projection's input; *_out is added to r."""
    block = next(module for name, module in model.named_modules() if name.endswith("layers.1"))
    first = lambda out: out[0] if isinstance(out, tuple) else out
    shape = lambda x: x if x.dim() == 3 else x.view(outputs["site.resid_mid"].shape)
    output = lambda name: lambda _, __, out: outputs.__setitem__(name, shape(first(out)).clone())
    given = lambda name: lambda _, args: outputs.__setitem__(name, args[0].clone())
    attention = getattr(block, "linear_attn", None) or block.self_attn
    projection = getattr(attention, "out_proj", None) or attention.o_proj
    mlp = getattr(block, "feed_forward", None) or block.mlp
    return [
        projection.register_forward_pre_hook(given("site.attn_z")),
        attention.register_forward_hook(output("site.attn_out")),
        block.post_attention_layernorm.register_forward_pre_hook(given("site.resid_mid")),
        mlp.register_forward_hook(output("site.mlp_out")),
    ]


def expected(model, T, seed):
    generator = torch.Generator().manual_seed(seed)
    lengths = [T, T // 3]
    ids = torch.randint(0, V, (len(lengths), T), generator=generator)
    mask = torch.tensor([[1] * n + [0] * (T - n) for n in lengths])
    outputs = {}
    blocks = next(m for n, m in model.named_modules() if n.endswith("layers"))
    hooks = [
        block.register_forward_hook(
            lambda _, __, out, i=i: outputs.__setitem__(
                f"r.{i}", (out[0] if isinstance(out, tuple) else out).clone()
            )
        )
        for i, block in enumerate(blocks, 1)
    ] + site_hooks(model, outputs)
    with torch.no_grad():
        result = model(ids, attention_mask=mask, output_hidden_states=True, use_cache=False)
    for hook in hooks:
        hook.remove()
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "logits": result.logits,
        "h.0": result.hidden_states[0],
        "h.last": result.hidden_states[-1],
        **outputs,
    }


def split(state, names=("gate_proj", "up_proj", "down_proj"), rename=lambda key: key):
    """Three weights for each expert, as on the hub."""
    result = {}
    for key, value in state.items():
        key = rename(key)
        if key.endswith("experts.gate_up_proj"):
            at = key.removesuffix("gate_up_proj")
            for e, both in enumerate(value):
                gate, up = both.chunk(2)
                result[f"{at}{e}.{names[0]}.weight"] = gate.clone()
                result[f"{at}{e}.{names[1]}.weight"] = up.clone()
        elif key.endswith("experts.down_proj"):
            at = key.removesuffix("down_proj")
            for e, down in enumerate(value):
                result[f"{at}{e}.{names[2]}.weight"] = down.clone()
        else:
            result[key] = value
    return result


def make(
    name,
    model_type,
    settings,
    *,
    T=12,
    seed=0,
    bf16=False,
    layout=lambda state: state,
    rewrite=None,
    before=None,
):
    if wanted and name not in wanted:
        return
    folder = here / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    config = AutoConfig.for_model(model_type, **settings)
    config._attn_implementation = "eager"
    config._experts_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval().float()
    randomise(model, seed)
    if before is not None:
        before(model)
    if config.tie_word_embeddings:
        model.tie_weights()
    tensors = expected(model, T, seed)
    state = {
        key: value.clone()
        for key, value in model.state_dict().items()
        if not (config.tie_word_embeddings and key == "lm_head.weight")
    }
    saved = {key: value.contiguous() for key, value in layout(state).items()}
    save_file(saved, folder / "model.safetensors", metadata={"format": "pt"})
    if bf16:
        half = model.to(torch.bfloat16)
        tensors.update(
            {
                f"bf16.{key}": value.float()
                for key, value in expected(half, T, seed).items()
                if key in ("logits", "h.last")
            }
        )
    save_file(
        {key: value.contiguous() for key, value in tensors.items()}, folder / "expected.safetensors"
    )
    as_dict = json.loads(config.to_json_string(use_diff=False))
    kept = {
        key: value
        for key, value in as_dict.items()
        if key in config.to_diff_dict()
        or key in settings
        or key in ("model_type", "rope_parameters", "layer_types")
    }
    if rewrite is not None:
        kept = rewrite(kept) or kept
    (folder / "config.json").write_text(json.dumps(kept, indent=2) + "\n")


sizes = dict(common, hidden_size=16, intermediate_size=20, max_position_embeddings=64)
grouped = dict(sizes, num_attention_heads=4, num_key_value_heads=2, head_dim=6)

# as on the hub: three weights for each expert, weights that are normalized
make(
    "qwen3-moe",
    "qwen3_moe",
    dict(
        grouped,
        num_experts=5,
        num_experts_per_tok=2,
        moe_intermediate_size=6,
        norm_topk_prob=True,
    ),
    layout=split,
    rewrite=lambda c: (
        old_style()(c),
        c.pop("layer_types", None),
        c.update(num_experts=c.pop("num_local_experts")),
    )[0],
    bf16=True,
    seed=60,
)
# as transformers 5 writes it; dense blocks among them, weights as they are, windows, a tied head
make(
    "qwen3-moe-dense",
    "qwen3_moe",
    dict(
        grouped,
        num_hidden_layers=4,
        num_experts=6,
        num_experts_per_tok=3,
        moe_intermediate_size=7,
        norm_topk_prob=False,
        decoder_sparse_step=2,
        mlp_only_layers=[3],
        attention_bias=True,
        tie_word_embeddings=True,
        use_sliding_window=True,
        sliding_window=5,
    ),
    seed=61,
)
make(
    "mixtral",
    "mixtral",
    dict(grouped, num_local_experts=4, num_experts_per_tok=2),
    layout=lambda state: split(
        state, ("w1", "w3", "w2"), lambda key: key.replace(".mlp.", ".block_sparse_moe.")
    ),
    rewrite=old_style(),
    bf16=True,
    seed=62,
)
make(
    "mixtral-sliding",
    "mixtral",
    dict(
        sizes,
        num_local_experts=3,
        num_experts_per_tok=1,
        sliding_window=4,
        tie_word_embeddings=True,
        hidden_act="gelu",
    ),
    seed=63,
)
make(
    "qwen2-moe",
    "qwen2_moe",
    dict(
        grouped,
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=6,
        shared_expert_intermediate_size=10,
    ),
    layout=split,
    rewrite=lambda c: (old_style()(c), c.pop("layer_types", None))[0],
    bf16=True,
    seed=64,
)
make(
    "qwen2-moe-dense",
    "qwen2_moe",
    dict(
        sizes,
        num_hidden_layers=3,
        num_experts=4,
        num_experts_per_tok=4,
        moe_intermediate_size=5,
        shared_expert_intermediate_size=8,
        norm_topk_prob=True,
        mlp_only_layers=[0],
        qkv_bias=False,
        tie_word_embeddings=True,
        use_sliding_window=True,
        sliding_window=5,
        max_window_layers=2,
    ),
    rewrite=lambda c: c.pop("layer_types", None) and None,
    seed=68,
)
make(
    "olmoe",
    "olmoe",
    dict(grouped | dict(head_dim=4), num_experts=4, num_experts_per_tok=2),
    layout=split,
    rewrite=old_style(),
    bf16=True,
    seed=66,
)
make(
    "olmoe-clipped",
    "olmoe",
    dict(
        sizes,
        num_experts=5,
        num_experts_per_tok=3,
        norm_topk_prob=True,
        clip_qkv=0.7,
        attention_bias=True,
        tie_word_embeddings=True,
    ),
    seed=67,
)

linear = dict(
    grouped | dict(num_hidden_layers=3, head_dim=8),
    rms_norm_eps=1e-4,
    linear_num_key_heads=2,
    linear_key_head_dim=6,
    linear_num_value_heads=4,
    linear_value_head_dim=5,
    linear_conv_kernel_dim=4,
)


def calm(model):
    """Keeps residual streams near 1 and states of linear attention off 0, so that norms do not
    amplify roundings: transformers' own are 3e-5 without."""
    for name, parameter in model.named_parameters():
        if name.endswith("norm.weight") and "linear_attn" not in name:
            parameter.data -= 1  # counts from one
        if name.endswith("A_log"):
            parameter.data -= 1
        if name.endswith(("o_proj.weight", "out_proj.weight", "down_proj", "down_proj.weight")):
            parameter.data *= 0.2


def multimodal(config):
    """The text model's settings in a multimodal model's file."""
    kind = config.pop("model_type")
    return {
        "model_type": kind.removesuffix("_text"),
        "text_config": {"model_type": kind, **config},
        "vision_config": {"hidden_size": 4},
        "image_token_id": 3,
        "tie_word_embeddings": config["tie_word_embeddings"],
    }


def beside(state):
    """Names of a multimodal file, with the other parts' tensors."""
    return {
        **{key.replace("model.", "model.language_model.", 1): v for key, v in state.items()},
        "model.visual.blocks.0.norm1.weight": torch.zeros(3),
        "mtp.layers.0.mlp.up_proj.weight": torch.zeros(3, 3),
    }


# several chunks of positions; the convolution is longer than the shorter sequence's rest
make(
    "qwen3_5",
    "qwen3_5_text",
    dict(linear, layer_types=["linear_attention", "full_attention", "linear_attention"]),
    T=12,
    bf16=True,
    before=calm,
    seed=70,
)
make(
    "qwen3_5-multimodal",
    "qwen3_5_text",
    dict(
        linear,
        num_hidden_layers=4,
        linear_num_key_heads=3,
        linear_num_value_heads=3,
        linear_conv_kernel_dim=3,
        attention_bias=True,
        tie_word_embeddings=True,
        max_position_embeddings=256,
        full_attention_interval=3,
        rope_parameters=rope(
            "default", partial_rotary_factor=0.5, mrope_section=[1, 1, 0], mrope_interleaved=True
        ),
    ),
    T=150,
    layout=beside,
    rewrite=lambda c: (c.pop("layer_types"), c.update(full_attention_interval=3), multimodal(c))[2],
    before=calm,
    seed=71,
)
mixture = dict(
    num_experts=4,
    num_experts_per_tok=2,
    moe_intermediate_size=6,
    shared_expert_intermediate_size=7,
)
make(
    "qwen3_5-moe",
    "qwen3_5_moe_text",
    {
        key: value
        for key, value in dict(linear, **mixture).items()
        if key != "intermediate_size"
    },
    layout=lambda state: beside(split(state)),
    rewrite=multimodal,
    before=calm,
    seed=72,
)
make(
    "qwen3_5-moe-fused",
    "qwen3_5_moe_text",
    dict(
        linear,
        **mixture,
        layer_types=["full_attention", "full_attention", "linear_attention"],
        linear_num_value_heads=2,
        tie_word_embeddings=True,
    ),
    bf16=True,
    before=calm,
    seed=73,
)
make(
    "qwen3-next",
    "qwen3_next",
    dict(
        linear,
        **mixture,
        layer_types=["full_attention", "linear_attention", "linear_attention"],
        mlp_only_layers=[0],
    ),
    layout=split,
    bf16=True,
    before=calm,
    seed=74,
)
make(
    "qwen3-next-steps",
    "qwen3_next",
    dict(
        linear,
        **mixture,
        num_hidden_layers=4,
        linear_num_key_heads=1,
        decoder_sparse_step=3,
        norm_topk_prob=False,
        attention_bias=True,
        rope_parameters=rope("linear", factor=4.0, partial_rotary_factor=0.5),
    ),
    T=70,
    before=calm,
    seed=75,
)


def packed(model):
    """Experts that MXFP4 has exactly, and their blocks and scales: as published."""
    generator = torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        if re.search(r"experts\.(gate_up|down)_proj$", name):
            count, inner, outer = parameter.shape
            shape = (count, outer, inner // 32, 16)
            blocks = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
            scales = torch.randint(122, 126, shape[:-1], generator=generator, dtype=torch.uint8)
            parameter.data = convert_moe_packed_tensors(blocks, scales).float()
            stored[f"{name}_blocks"], stored[f"{name}_scales"] = blocks, scales


stored = {}
make(
    "gpt-oss",
    "gpt_oss",
    dict(grouped, num_local_experts=4, num_experts_per_tok=2, sliding_window=5),
    bf16=True,
    seed=80,
)
make(
    "gpt-oss-mxfp4",
    "gpt_oss",
    dict(
        grouped,
        num_hidden_layers=3,
        hidden_size=32,
        intermediate_size=64,
        num_local_experts=3,
        num_experts_per_tok=1,
        sliding_window=4,
        layer_types=["full_attention", "sliding_attention", "full_attention"],
        tie_word_embeddings=True,
        rope_parameters=rope(
            "yarn", factor=8.0, original_max_position_embeddings=8, truncate=False
        ),
    ),
    before=packed,
    layout=lambda state: {
        **{key: value for key, value in state.items() if f"{key}_blocks" not in stored},
        **stored,
    },
    rewrite=lambda c: (
        old_style()(c),
        c.update(
            num_experts=c["num_local_experts"],
            swiglu_limit=7.0,
            experts_per_token=1,
            initial_context_length=8,
            quantization_config={"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]},
        ),
    )[0],
    T=20,
    seed=81,
)

llama4 = dict(grouped, intermediate_size=10, intermediate_size_mlp=14, num_local_experts=4)
make(
    "llama4",
    "llama4_text",
    dict(
        llama4,
        num_hidden_layers=4,
        num_experts_per_tok=1,
        interleave_moe_layer_step=2,
        attention_chunk_size=5,
        no_rope_layer_interval=3,
        floor_scale=4,
        attn_scale=0.3,
    ),
    layout=lambda state: {f"language_model.{key}": value for key, value in state.items()},
    rewrite=lambda c: (
        [c.pop(key) for key in ("layer_types", "no_rope_layers", "moe_layers")],
        old_style()(c),
        multimodal(c),
    )[2],
    T=16,
    bf16=True,
    seed=90,
)
make(
    "llama4-plain",
    "llama4_text",
    dict(
        llama4,
        num_hidden_layers=3,
        num_experts_per_tok=2,
        moe_layers=[1],
        use_qk_norm=False,
        attn_temperature_tuning=False,
        attention_bias=True,
        tie_word_embeddings=True,
        no_rope_layers=[0, 1, 1],
        layer_types=["chunked_attention", "full_attention", "chunked_attention"],
        attention_chunk_size=7,
        rope_parameters=rope("yarn", factor=4.0, original_max_position_embeddings=16),
    ),
    T=20,
    seed=91,
)
make(
    "llama4-yarn",
    "llama4_text",
    dict(
        llama4,
        num_experts_per_tok=1,
        rope_parameters=rope("yarn", factor=4.0, original_max_position_embeddings=16),
    ),
    T=20,
    seed=92,
)
