"""Tiny random models with the settings that ../models leaves out, and their states by transformers.

Each folder gets config.json (some rewritten in the style of older transformers), weights, and
expected.safetensors: input_ids, attention_mask (padded on the right), logits, h.0, h.last, r.1 ...,
block 2's site.* in float32 with eager attention; with `bf16.` in front the logits and h.last of the
same model in bfloat16. Made with torch 2.13, transformers 5.18:

    python make.py           all of them
    python make.py gemma …   some
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

here = Path(__file__).parent
V = 32
common = dict(
    vocab_size=V,
    hidden_size=16,
    intermediate_size=20,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    bos_token_id=1,
    eos_token_id=2,
)


def randomise(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        scale = 0.5 if parameter.dim() == 1 else 1.5 / parameter.shape[-1] ** 0.5
        parameter.data = torch.randn(parameter.shape, generator=generator) * scale
        if "norm" in name and name.endswith("weight") and "gemma" not in model.config.model_type:
            parameter.data += 1


# Modules of a block by model_type: attention, its output projection, the module that gives the
# MLP's term, the module that first reads the residual stream after attention (None if there is
# none).
LLAMA = ("self_attn", "self_attn.o_proj", "mlp", "post_attention_layernorm")
BEHIND = ("post_attention_layernorm", "self_attn.o_proj", "post_feedforward_layernorm", "mlp")
GEMMA = (*BEHIND[:3], "pre_feedforward_layernorm")
MODULES = {
    "gpt2": ("attn", "attn.c_proj", "mlp", "ln_2"),
    "gpt_neo": ("attn", "attn.attention.out_proj", "mlp", "ln_2"),
    "gpt_neox": ("attention", "attention.dense", "mlp", "post_attention_layernorm"),
    "gptj": ("attn", "attn.out_proj", "mlp", None),
    "phi": ("self_attn", "self_attn.dense", "mlp", None),
    "cohere": ("self_attn", "self_attn.o_proj", "mlp", None),
    "cohere2": ("self_attn", "self_attn.o_proj", "mlp", None),
    "falcon": ("self_attention", "self_attention.dense", "mlp", "post_attention_layernorm"),
    "glm4": (
        "post_self_attn_layernorm",
        "self_attn.o_proj",
        "post_mlp_layernorm",
        "post_attention_layernorm",
    ),
    "opt": ("self_attn", "self_attn.out_proj", "fc2", "final_layer_norm"),
    "gemma2": GEMMA,
    "gemma3_text": GEMMA,
    "olmo2": BEHIND,
    "olmo3": BEHIND,
}


def site_hooks(model, outputs, shape):
    """Hooks for block 2's sites: z is the output projection's input; *_out is added to r."""
    block = next(
        module
        for name, module in text_model(model).named_modules()
        if name.endswith(("layers.1", "h.1"))
    )
    config = text_config(model)
    kind = config.model_type
    factor = getattr(config, "residual_multiplier", 1.0)
    get = lambda path: block.get_submodule(path)
    # OPT's MLP works on [B·T, d]
    shaped = lambda x: x.clone().unflatten(0, shape) if x.dim() == 2 else x.clone()
    output = lambda name, factor=1.0: (
        lambda _, __, out: outputs.__setitem__(
            name, shaped(out[0] if isinstance(out, tuple) else out) * factor
        )
    )
    given = lambda name: lambda _, args: outputs.__setitem__(name, shaped(args[0]))
    attention, projection, mlp, before_mlp = MODULES.get(kind, LLAMA)
    hooks = [
        get(projection).register_forward_pre_hook(given("site.attn_z")),
        get(attention).register_forward_hook(output("site.attn_out", factor)),
        get(mlp).register_forward_hook(output("site.mlp_out", factor)),
    ]
    parallel = (
        getattr(config, "use_parallel_residual", False)
        or getattr(config, "new_decoder_architecture", False)
        or getattr(config, "parallel_attn", False)
        or before_mlp is None
    )
    if not getattr(config, "do_layer_norm_before", True):
        # OPT-350m: what the first norm gives is what the MLP's term is added to
        hooks.append(get("self_attn_layer_norm").register_forward_hook(output("site.resid_mid")))
    elif not parallel:
        hooks.append(get(before_mlp).register_forward_pre_hook(given("site.resid_mid")))
    return hooks


def text_config(model):
    return model.config.get_text_config()


def text_model(model):
    """The text model of a multimodal one."""
    return next((m for n, m in model.named_modules() if n.endswith("language_model")), model)


def expected(model, T, seed):
    generator = torch.Generator().manual_seed(seed)
    lengths = [T, T // 3]
    ids = torch.randint(0, V, (len(lengths), T), generator=generator)
    mask = torch.tensor([[1] * n + [0] * (T - n) for n in lengths])
    blocks = next(
        m for n, m in text_model(model).named_modules() if n.endswith("layers") or n.endswith(".h")
    )
    outputs = {}
    hooks = [
        block.register_forward_hook(
            lambda _, __, out, i=i: outputs.__setitem__(
                f"r.{i}", (out[0] if isinstance(out, tuple) else out).clone()
            )
        )
        for i, block in enumerate(blocks, 1)
    ] + site_hooks(model, outputs, ids.shape)
    last = {}
    for name, module in model.named_modules():
        if name.endswith("project_out"):  # the norm's output is what it reads
            hooks.append(
                module.register_forward_pre_hook(
                    lambda _, args: last.update({"h": args[0].clone()})
                )
            )
    with torch.no_grad():
        result = model(ids, attention_mask=mask, output_hidden_states=True, use_cache=False)
    for hook in hooks:
        hook.remove()
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "logits": result.logits,
        "h.0": result.hidden_states[0],
        "h.last": last.get("h", result.hidden_states[-1]),
        **outputs,
    }


def make(
    name,
    model_type,
    settings,
    *,
    T=12,
    seed=0,
    bf16=False,
    weights="safetensors",
    rewrite=None,
    base=None,
    lengths=(),
    after=None,
):
    if len(sys.argv) > 1 and name not in sys.argv[1:]:
        return
    folder = here / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    config = AutoConfig.for_model(model_type, **settings)
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval().float()
    randomise(model, seed)
    if config.tie_word_embeddings:
        model.tie_weights()
    tensors = expected(model, T, seed)
    for longer in lengths:
        tensors.update(
            {f"{longer}.{key}": value for key, value in expected(model, longer, seed).items()}
        )
    state = {
        key: value.clone()
        for key, value in model.state_dict().items()
        if not (config.tie_word_embeddings and key == "lm_head.weight")
    }
    if model_type == "gpt_neox":  # what save_pretrained calls it
        state = {key.replace("lm_head", "embed_out"): value for key, value in state.items()}
    if base is not None:
        state = {key.removeprefix(base): value for key, value in state.items()}
    if weights == "bin":
        torch.save(state, folder / "pytorch_model.bin")
    elif (
        weights == "bin-shards"
    ):  # the older of torch's two formats, as the first models on the hub are in
        names = list(state)
        shards = {f"pytorch_model-0000{n + 1}-of-00002.bin": names[n::2] for n in range(2)}
        for file, held in shards.items():
            torch.save(
                {key: state[key] for key in held},
                folder / file,
                _use_new_zipfile_serialization=False,
            )
        (folder / "pytorch_model.bin.index.json").write_text(
            json.dumps(
                {
                    "metadata": {},
                    "weight_map": {key: file for file, held in shards.items() for key in held},
                }
            )
            + "\n"
        )
    else:
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
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
    # as_dict leaves out nothing; the file keeps what a checkpoint on the hub would have
    as_dict = json.loads(config.to_json_string(use_diff=False))
    kept = {
        key: value
        for key, value in as_dict.items()
        if key in config.to_diff_dict()
        or key in settings
        or key in ("model_type", "rope_parameters", "layer_types")
    }
    if rewrite is not None:
        rewrite(kept)
    (folder / "config.json").write_text(json.dumps(kept, indent=2) + "\n")
    if after is not None:
        after(folder)


def old_style(type_key="rope_type"):
    """rope_parameters as older transformers wrote them: rope_theta beside rope_scaling."""

    def rewrite(config):
        rope = dict(config.pop("rope_parameters"))
        config["rope_theta"] = rope.pop("rope_theta")
        share = rope.pop("partial_rotary_factor", None)
        if share is not None:
            config["partial_rotary_factor"] = share
        rope[type_key] = rope.pop("rope_type")
        config["rope_scaling"] = None if rope[type_key] == "default" else rope

    return rewrite


def rope(kind, **more):
    return dict(rope_type=kind, rope_theta=10000.0, **more)


# biases everywhere, a head dimension of its own, linear scaling, the oldest style, torch.save
make(
    "llama-linear-bin",
    "llama",
    dict(
        common,
        head_dim=12,
        attention_bias=True,
        mlp_bias=True,
        max_position_embeddings=64,
        tie_word_embeddings=False,
        rope_parameters=rope("linear", factor=4.0),
    ),
    weights="bin",
    rewrite=old_style("type"),
    seed=1,
)
# longer than trained: the base grows
make(
    "llama-dynamic",
    "llama",
    dict(common, max_position_embeddings=16, rope_parameters=rope("dynamic", factor=4.0)),
    T=24,
    rewrite=old_style("type"),
    seed=2,
    lengths=(12,),
)
make(
    "llama-yarn",
    "llama",
    dict(
        common,
        max_position_embeddings=64,
        tie_word_embeddings=True,
        rope_parameters=rope("yarn", factor=4.0, original_max_position_embeddings=16),
    ),
    T=24,
    rewrite=old_style(),
    seed=3,
)
make(
    "llama-yarn-mscale",
    "llama",
    dict(
        common,
        max_position_embeddings=64,
        rope_parameters=rope(
            "yarn",
            factor=8.0,
            original_max_position_embeddings=8,
            beta_fast=16,
            beta_slow=2,
            mscale=0.8,
            mscale_all_dim=0.5,
            truncate=False,
        ),
    ),
    T=24,
    seed=4,
)
make(
    "llama-llama3",
    "llama",
    dict(
        common,
        hidden_size=32,
        max_position_embeddings=128,
        rope_parameters=dict(
            rope(
                "llama3",
                factor=8.0,
                low_freq_factor=1.0,
                high_freq_factor=4.0,
                original_max_position_embeddings=24,
            ),
            rope_theta=5000.0,
        ),
    ),
    T=32,
    rewrite=old_style(),
    bf16=True,
    seed=5,
)
make(
    "mistral-full",
    "mistral",
    dict(common, head_dim=16, sliding_window=None, max_position_embeddings=64),
    rewrite=old_style(),
    seed=6,
)
make(
    "qwen2-sliding",
    "qwen2",
    dict(
        common,
        use_sliding_window=True,
        sliding_window=6,
        max_window_layers=1,
        max_position_embeddings=64,
        rope_parameters=rope("yarn", factor=4.0, original_max_position_embeddings=16),
    ),
    rewrite=lambda c: (old_style("type")(c), c.pop("layer_types", None)),
    seed=7,
)
make(
    "qwen3-bias",
    "qwen3",
    dict(
        common,
        head_dim=10,
        attention_bias=True,
        tie_word_embeddings=True,
        max_position_embeddings=64,
    ),
    rewrite=old_style(),
    bf16=True,
    seed=8,
)
gpt2 = dict(
    vocab_size=V, n_embd=16, n_layer=2, n_head=2, n_positions=24, bos_token_id=1, eos_token_id=2
)
make(
    "gpt2-base-bin",
    "gpt2",
    dict(gpt2, n_inner=20, scale_attn_by_inverse_layer_idx=True),
    weights="bin",
    base="transformer.",
    seed=9,
)
make(
    "gpt2-unscaled",
    "gpt2",
    dict(gpt2, scale_attn_weights=False, tie_word_embeddings=False, activation_function="relu"),
    bf16=True,
    seed=10,
)
neox = {key: value for key, value in common.items() if key != "num_key_value_heads"}


def neox_old(config):
    parameters = config.pop("rope_parameters")
    config["rotary_emb_base"] = parameters["rope_theta"]
    config["rotary_pct"] = parameters["partial_rotary_factor"]


make(
    "neox-sequential",
    "gpt_neox",
    dict(
        neox,
        use_parallel_residual=False,
        attention_bias=False,
        max_position_embeddings=64,
        rope_parameters=rope("default", partial_rotary_factor=0.5),
    ),
    rewrite=neox_old,
    bf16=True,
    seed=11,
)
make(
    "neox-linear",
    "gpt_neox",
    dict(
        neox,
        hidden_act="gelu_new",
        tie_word_embeddings=True,
        max_position_embeddings=64,
        rope_parameters=rope("linear", factor=2.0, partial_rotary_factor=1.0),
    ),
    seed=12,
)
make(
    "gemma2-sliding",
    "gemma2",
    dict(
        common,
        head_dim=12,
        query_pre_attn_scalar=20,
        sliding_window=7,
        attn_logit_softcapping=2.0,
        final_logit_softcapping=None,
        max_position_embeddings=64,
    ),
    rewrite=lambda c: (old_style()(c), c.pop("layer_types", None)),
    bf16=True,
    seed=13,
)
make(
    "gemma2-uncapped",
    "gemma2",
    dict(
        common,
        head_dim=8,
        query_pre_attn_scalar=8,
        sliding_window=6,
        attn_logit_softcapping=None,
        final_logit_softcapping=3.0,
        attention_bias=True,
        max_position_embeddings=64,
    ),
    seed=14,
)


def gemma3_old(config):
    parameters = config.pop("rope_parameters")
    config["rope_theta"] = parameters["full_attention"]["rope_theta"]
    config["rope_local_base_freq"] = parameters["sliding_attention"]["rope_theta"]
    config["rope_scaling"] = {"rope_type": "linear", "factor": 8.0}
    config.pop("layer_types", None)
    config["sliding_window_pattern"] = 2


make(
    "gemma3-linear",
    "gemma3_text",
    dict(
        common,
        head_dim=12,
        query_pre_attn_scalar=12,
        sliding_window=6,
        sliding_window_pattern=2,
        max_position_embeddings=64,
        rope_parameters={
            "full_attention": dict(rope("linear", factor=8.0), rope_theta=5000.0),
            "sliding_attention": rope("default"),
        },
    ),
    rewrite=gemma3_old,
    bf16=True,
    seed=15,
)


def multimodal(folder):
    """Turns the folder of a text model into that of a multimodal one."""
    state = {
        f"language_model.model.{key.removeprefix('model.')}": value
        for key, value in load_file(folder / "model.safetensors").items()
    }
    save_file(
        {**state, "vision_tower.weight": torch.zeros(3)},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    (folder / "config.json").write_text(
        json.dumps(
            {
                "model_type": "gemma3",
                "text_config": {
                    "model_type": "gemma3_text",
                    "hidden_size": 16,
                    "intermediate_size": 20,
                    "num_hidden_layers": 2,
                    "vocab_size": V,
                    "head_dim": 4,
                    "query_pre_attn_scalar": 4,
                    "sliding_window": 6,
                },
                "vision_config": {"hidden_size": 4},
            },
            indent=2,
        )
        + "\n"
    )


# the text model of a multimodal file, with what is as usual left out; further tensors lie beside it
make(
    "gemma3-multimodal",
    "gemma3_text",
    dict(
        hidden_size=16,
        intermediate_size=20,
        num_hidden_layers=2,
        vocab_size=V,
        num_attention_heads=8,
        num_key_value_heads=4,
        head_dim=4,
        query_pre_attn_scalar=4,
        sliding_window=6,
        max_position_embeddings=131072,
    ),
    seed=19,
    after=multimodal,
)
factors = dict(short_factor=[1.0, 1.1, 1.3], long_factor=[1.5, 2.0, 4.0])
phi = dict(
    common,
    hidden_size=24,
    max_position_embeddings=128,
    original_max_position_embeddings=16,
    pad_token_id=0,
)
make(
    "phi3-longrope",
    "phi3",
    dict(phi, rope_parameters=rope("longrope", partial_rotary_factor=0.5, **factors)),
    T=12,
    lengths=(24,),
    rewrite=old_style("type"),
    bf16=True,
    seed=16,
)
make(
    "phi3-sliding",
    "phi3",
    dict(
        phi,
        sliding_window=8,
        original_max_position_embeddings=128,
        tie_word_embeddings=True,
        rope_parameters=rope("default", partial_rotary_factor=1.0),
    ),
    seed=17,
)
make(
    "olmo2-bias",
    "olmo2",
    dict(common, attention_bias=True, tie_word_embeddings=True, max_position_embeddings=64),
    rewrite=old_style(),
    bf16=True,
    seed=18,
)

# Each family under another's scaling, layers of either kind in any order, rare activations.
pairs = dict(short_factor=[1.0, 1.1, 1.2, 1.3], long_factor=[1.5, 2.0, 2.5, 4.0])
make(
    "gpt2-quick-gelu",
    "gpt2",
    dict(
        gpt2,
        activation_function="quick_gelu",
        scale_attn_by_inverse_layer_idx=True,
        scale_attn_weights=False,
        reorder_and_upcast_attn=True,
    ),
    weights="bin-shards",
    seed=20,
)
make(
    "neox-longrope",
    "gpt_neox",
    dict(
        neox,
        hidden_act="relu2",
        max_position_embeddings=64,
        rope_parameters=rope(
            "longrope",
            partial_rotary_factor=1.0,
            original_max_position_embeddings=16,
            attention_factor=1.15,
            **pairs,
        ),
    ),
    lengths=(24,),
    seed=21,
)
make(
    "mistral-yarn",
    "mistral",
    dict(
        common,
        sliding_window=1,
        hidden_act="mish",
        tie_word_embeddings=True,
        max_position_embeddings=64,
        rope_parameters=rope(
            "yarn", factor=4.0, original_max_position_embeddings=16, attention_factor=1.3
        ),
    ),
    T=24,
    rewrite=old_style(),
    seed=22,
)
make(
    "qwen3-layer-types",
    "qwen3",
    dict(
        common,
        num_hidden_layers=3,
        head_dim=8,
        use_sliding_window=True,
        sliding_window=5,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        max_position_embeddings=16,
        rope_parameters=rope("dynamic", factor=2.0),
    ),
    T=24,
    seed=23,
)
make(
    "gemma2-llama3",
    "gemma2",
    dict(
        common,
        num_hidden_layers=3,
        head_dim=8,
        query_pre_attn_scalar=8,
        sliding_window=5,
        layer_types=["full_attention", "full_attention", "sliding_attention"],
        tie_word_embeddings=False,
        hidden_activation="tanh",
        max_position_embeddings=64,
        rope_parameters=rope(
            "llama3",
            factor=8.0,
            low_freq_factor=1.0,
            high_freq_factor=4.0,
            original_max_position_embeddings=16,
        ),
    ),
    seed=24,
)
make(
    "gemma3-longrope",
    "gemma3_text",
    dict(
        common,
        num_hidden_layers=3,
        head_dim=8,
        query_pre_attn_scalar=20,
        sliding_window=5,
        layer_types=["full_attention", "sliding_attention", "full_attention"],
        attention_bias=True,
        final_logit_softcapping=2.0,
        attn_logit_softcapping=1.5,
        max_position_embeddings=64,
        rope_parameters={
            "full_attention": rope("longrope", original_max_position_embeddings=16, **pairs),
            "sliding_attention": dict(rope("default"), rope_theta=500.0),
        },
    ),
    T=12,
    lengths=(24,),
    seed=25,
)
make(
    "olmo2-yarn",
    "olmo2",
    dict(
        common,
        num_attention_heads=4,
        num_key_value_heads=2,
        hidden_size=32,
        hidden_act="gelu_10",
        rms_norm_eps=1e-3,
        max_position_embeddings=64,
        rope_parameters=rope("yarn", factor=4.0, original_max_position_embeddings=16),
    ),
    T=24,
    weights="bin-shards",
    seed=26,
)
# Gemma's first releases: `gelu` for its approximation, heads wider than d / H
make(
    "gemma",
    "gemma",
    dict(common, head_dim=12, max_position_embeddings=64),
    rewrite=lambda c: (old_style()(c), c.update(hidden_act="gelu", hidden_activation=None)),
    bf16=True,
    seed=40,
)
make(
    "gemma-untied",
    "gemma",
    dict(
        common,
        head_dim=8,
        hidden_act="relu",
        attention_bias=True,
        tie_word_embeddings=False,
        max_position_embeddings=64,
        rope_parameters=rope("linear", factor=2.0),
    ),
    seed=41,
)
neo = dict(
    vocab_size=V,
    hidden_size=16,
    num_heads=2,
    max_position_embeddings=24,
    bos_token_id=1,
    eos_token_id=2,
)
# windows that bind, as TinyStories' file
make(
    "gpt-neo",
    "gpt_neo",
    dict(neo, num_layers=2, attention_types=[[["global", "local"], 1]], window_size=5),
    bf16=True,
    seed=42,
)
make(
    "gpt-neo-local",
    "gpt_neo",
    dict(
        neo,
        num_layers=3,
        intermediate_size=20,
        attention_types=[[["local"], 2], [["global"], 1]],
        window_size=1,
        activation_function="relu",
        tie_word_embeddings=False,
    ),
    seed=43,
)

# Llama's blocks with differences of Granite's, OLMo's and SmolLM 3's own
make(
    "granite",
    "granite",
    dict(
        common,
        embedding_multiplier=12.0,
        residual_multiplier=0.22,
        attention_multiplier=0.3,
        logits_scaling=5.0,
        attention_bias=True,
        mlp_bias=True,
        tie_word_embeddings=True,
        max_position_embeddings=64,
    ),
    rewrite=old_style(),
    bf16=True,
    seed=50,
)
make(
    "granite-untied",
    "granite",
    dict(
        common,
        head_dim=12,
        embedding_multiplier=0.7,
        residual_multiplier=0.6,
        logits_scaling=3.0,
        max_position_embeddings=64,
        rope_parameters=rope("yarn", factor=4.0, original_max_position_embeddings=16),
    ),
    T=24,
    seed=51,
)
make(
    "olmo-clip",
    "olmo",
    dict(common, clip_qkv=0.6, tie_word_embeddings=True, max_position_embeddings=64),
    rewrite=old_style(),
    bf16=True,
    seed=52,
)
make(
    "olmo-bias",
    "olmo",
    dict(
        common,
        num_key_value_heads=2,
        attention_bias=True,
        hidden_act="gelu",
        max_position_embeddings=64,
        rope_parameters=rope("linear", factor=2.0),
    ),
    seed=53,
)
make(
    "olmo3",
    "olmo3",
    dict(
        common,
        num_hidden_layers=4,
        sliding_window=5,
        max_position_embeddings=64,
        rope_parameters={
            "full_attention": rope("yarn", factor=4.0, original_max_position_embeddings=16),
            "sliding_attention": dict(rope("default"), rope_theta=700.0),
        },
    ),
    T=24,
    bf16=True,
    seed=54,
)


def olmo3_old(config):
    """The published files: settings of the layers without a window in rope_scaling."""
    parameters = config.pop("rope_parameters")
    full = dict(parameters["full_attention"])
    config["rope_theta"] = full.pop("rope_theta")
    config["rope_scaling"] = full


make(
    "olmo3-layer-types",
    "olmo3",
    dict(
        common,
        sliding_window=1,
        attention_bias=True,
        tie_word_embeddings=True,
        layer_types=["full_attention", "sliding_attention"],
        max_position_embeddings=64,
        rope_parameters={
            "full_attention": dict(rope("linear", factor=3.0), rope_theta=900.0),
            "sliding_attention": dict(rope("default"), rope_theta=500000.0),
        },
    ),
    rewrite=olmo3_old,
    seed=55,
)
make(
    "smollm3",
    "smollm3",
    dict(
        common,
        num_hidden_layers=4,
        use_sliding_window=True,
        sliding_window=5,
        no_rope_layer_interval=2,
        pad_token_id=0,
        max_position_embeddings=64,
    ),
    rewrite=lambda c: (old_style()(c), c.pop("layer_types"), c.pop("no_rope_layers")),
    bf16=True,
    seed=56,
)
make(
    "smollm3-untied",
    "smollm3",
    dict(
        common,
        attention_bias=True,
        mlp_bias=True,
        tie_word_embeddings=False,
        no_rope_layers=[0, 1],
        pad_token_id=0,
        max_position_embeddings=64,
        rope_parameters=rope("yarn", factor=4.0, original_max_position_embeddings=16),
    ),
    T=24,
    seed=57,
)
make(
    "phi",
    "phi",
    dict(
        common,
        hidden_size=24,
        qk_layernorm=True,
        max_position_embeddings=64,
        rope_parameters=rope("default", partial_rotary_factor=0.4),
    ),
    rewrite=old_style(),
    bf16=True,
    seed=58,
)
make(
    "phi-tied",
    "phi",
    dict(
        common,
        num_key_value_heads=2,
        hidden_act="relu",
        tie_word_embeddings=True,
        max_position_embeddings=64,
        rope_parameters=rope("linear", factor=2.0, partial_rotary_factor=1.0),
    ),
    seed=59,
)
gptj = dict(
    vocab_size=V, n_embd=24, n_layer=2, n_head=2, n_positions=24, bos_token_id=1, eos_token_id=2
)
make("gptj", "gptj", dict(gptj, rotary_dim=4), bf16=True, seed=60)
make(
    "gptj-tied",
    "gptj",
    dict(gptj, rotary_dim=12, n_inner=20, activation_function="gelu", tie_word_embeddings=True),
    weights="bin",
    seed=61,
)
opt = dict(
    vocab_size=V,
    hidden_size=16,
    ffn_dim=20,
    num_hidden_layers=2,
    num_attention_heads=2,
    max_position_embeddings=24,
    bos_token_id=2,
    eos_token_id=2,
)
make("opt", "opt", dict(opt), bf16=True, seed=62)
# as OPT-350m
make(
    "opt-post-norm",
    "opt",
    dict(opt, do_layer_norm_before=False, word_embed_proj_dim=12),
    weights="bin",
    base="model.",
    seed=63,
)
make(
    "opt-plain",
    "opt",
    dict(
        opt,
        enable_bias=False,
        layer_norm_elementwise_affine=False,
        _remove_final_layer_norm=True,
        activation_function="gelu",
        tie_word_embeddings=False,
    ),
    seed=64,
)

make(
    "ministral",
    "ministral",
    dict(
        common,
        head_dim=12,
        sliding_window=5,
        layer_types=["full_attention", "sliding_attention"],
        max_position_embeddings=64,
    ),
    seed=65,
)
growing = dict(original_max_position_embeddings=8, llama_4_scaling_beta=0.3)
make(
    "ministral3",
    "ministral3",
    dict(
        common,
        head_dim=12,
        max_position_embeddings=64,
        rope_parameters=dict(
            rope("yarn", factor=4.0, mscale=1.0, mscale_all_dim=1.0, **growing),
            max_position_embeddings=64,
        ),
    ),
    T=24,
    bf16=True,
    seed=66,
)
make(
    "ministral3-sliding",
    "ministral3",
    dict(
        common,
        head_dim=8,
        sliding_window=6,
        tie_word_embeddings=True,
        max_position_embeddings=64,
        rope_parameters=rope("default", **growing),
    ),
    T=24,
    seed=67,
)
make(
    "cohere",
    "cohere",
    dict(common, use_qk_norm=True, logit_scale=0.3, max_position_embeddings=64),
    rewrite=old_style(),
    bf16=True,
    seed=68,
)
make(
    "cohere-untied",
    "cohere",
    dict(
        common,
        attention_bias=True,
        tie_word_embeddings=False,
        hidden_act="gelu",
        max_position_embeddings=64,
        rope_parameters=rope("linear", factor=2.0),
    ),
    seed=69,
)
make(
    "cohere2",
    "cohere2",
    dict(common, sliding_window=5, logit_scale=0.4, attention_bias=True, num_hidden_layers=4),
    rewrite=lambda c: (old_style()(c), c.pop("layer_types")),
    bf16=True,
    seed=70,
)
make(
    "cohere2-layer-types",
    "cohere2",
    dict(
        common,
        sliding_window=1,
        layer_types=["full_attention", "sliding_attention"],
        tie_word_embeddings=False,
    ),
    seed=71,
)
make(
    "stablelm",
    "stablelm",
    dict(common, hidden_size=32, use_qkv_bias=True, max_position_embeddings=64),
    rewrite=old_style(),
    bf16=True,
    seed=72,
)
make(
    "stablelm-parallel",
    "stablelm",
    dict(
        common,
        qk_layernorm=True,
        use_parallel_residual=True,
        tie_word_embeddings=True,
        max_position_embeddings=64,
        rope_parameters=rope("linear", factor=2.0, partial_rotary_factor=0.5),
    ),
    seed=73,
)
make(
    "glm",
    "glm",
    dict(common, head_dim=12, pad_token_id=0, max_position_embeddings=64),
    rewrite=old_style(),
    seed=74,
)
make(
    "glm4",
    "glm4",
    dict(common, head_dim=12, pad_token_id=0, max_position_embeddings=64),
    bf16=True,
    seed=75,
)
make(
    "glm4-tied",
    "glm4",
    dict(
        common,
        head_dim=8,
        attention_bias=False,
        tie_word_embeddings=True,
        pad_token_id=0,
        max_position_embeddings=64,
        rope_parameters=rope("default", partial_rotary_factor=1.0),
    ),
    seed=76,
)
falcon = dict(
    vocab_size=V,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    ffn_hidden_size=20,
    max_position_embeddings=64,
    bos_token_id=1,
    eos_token_id=2,
)
make("falcon", "falcon", dict(falcon), bf16=True, seed=77)
make(
    "falcon-grouped",
    "falcon",
    dict(falcon, new_decoder_architecture=True, num_kv_heads=2, bias=True),
    rewrite=old_style(),
    seed=78,
)
make(
    "falcon-one-norm",
    "falcon",
    dict(
        falcon,
        new_decoder_architecture=True,
        num_kv_heads=1,
        num_ln_in_parallel_attn=1,
        tie_word_embeddings=False,
        rope_parameters=rope("linear", factor=2.0),
    ),
    seed=79,
)
make(
    "falcon-sequential",
    "falcon",
    dict(falcon, multi_query=False, parallel_attn=False, bias=True, activation="relu"),
    seed=80,
)
