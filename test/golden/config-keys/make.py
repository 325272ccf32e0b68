"""Which keys of config.json change what transformers computes, for every family.

Golden models get one key more, or another value of a key. cases.json has for each what
transformers 5.18 makes of it: `same` (its logits are those of the unchanged model), `other` (the
logits of the first sequence's last real position are in logits.safetensors), `error` (it refuses
the file), or `weights` (the model has other weights then). Made with torch 2.13, transformers 5.18:

    python make.py                      all models
    python make.py models-odd/granite   some, beside what the files have
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
here = Path(__file__).parent
golden = here.parent

models = [
    "models/llama2",
    "models/mistral",
    "models/qwen2",
    "models/qwen3",
    "models/gpt2",
    "models/gpt_neox",
    "models/gemma2",
    "models/gemma3_text",
    "models/phi3",
    "models/olmo2",
    "models-odd/gemma",
    "models-odd/gpt-neo",
    "models-odd/granite",
    "models-odd/olmo-bias",
    "models-odd/olmo3",
    "models-odd/smollm3-untied",
    "models-odd/phi",
    "models-odd/gptj",
    "models-odd/opt",
    "models-odd/qwen3-moe",
    "models-odd/gpt-oss",
    "models-odd/qwen3_5-moe-fused",
    "models-odd/mixtral",
    "models-odd/olmoe",
    "models-odd/qwen3-next",
]
kinds = lambda n, *of: [of[i % len(of)] for i in range(n)]


def changes(config):
    layers = config.get("num_hidden_layers") or config.get("n_layer") or config["num_layers"]
    heads = config.get("num_attention_heads") or config.get("n_head") or config.get("num_heads")
    width = config.get("hidden_size") or config.get("n_embd")
    rope = config.get("rope_parameters") or {"rope_theta": 10000.0, "rope_type": "default"}
    nested = isinstance(next(iter(rope.values())), dict)
    scaled = lambda **s: (
        {kind: {**part, **s} for kind, part in rope.items()} if nested else {**rope, **s}
    )
    none = {}
    return {
        # multipliers, as Granite, MiniCPM, Cohere, Falcon-H1 and Grok have
        "embedding_multiplier": [12.0],
        "residual_multiplier": [0.5],
        "attention_multiplier": [0.1],
        "logits_scaling": [8.0],
        "logit_scale": [0.0625],
        "lm_head_multiplier": [0.5],
        "scale_emb": [12],
        "scale_depth": [1.4],
        "dim_model_base": [256],
        "embedding_scale": [3.0],
        "scale_embedding": [True],
        "normalize_embedding": [True],
        # caps
        "attn_logit_softcapping": [2.0, None],
        "final_logit_softcapping": [2.0, None],
        "attn_logit_softcap": [2.0],
        "logits_soft_cap": [2.0],
        "clip_qkv": [0.1],
        "qk_clip": [0.1],
        # windows and kinds of layers
        "layer_types": [
            kinds(layers, "full_attention", "sliding_attention"),
            kinds(layers, "sliding_attention", "full_attention"),
            kinds(layers, "linear_attention", "full_attention"),
            kinds(layers, "chunked_attention"),
            ["full_attention"],
        ],
        "sliding_window": [3, None],
        "sliding_window_pattern": [2],
        "_sliding_window_pattern": [2],
        "use_sliding_window": [True],
        "max_window_layers": [1],
        "attention_chunk_size": [3],
        "window_size": [3],
        "attention_types": [[[["local", "global"], layers // 2]]],
        "attention_layers": [kinds(layers, "local", "global")],
        "no_rope_layers": [[0] * layers],
        "no_rope_layer_interval": [2],
        "is_causal": [False],
        "is_decoder": [False, True],
        "use_bidirectional_attention": [True],
        "attn_temperature_tuning": [True],
        "attention_sink": [True],
        # norms
        "use_qk_norm": [True],
        "qk_layernorm": [True],
        "qk_norm": [True],
        "layernorm_type": ["rms"],
        "norm_type": ["rms"],
        "use_post_norm": [True],
        "use_pre_norm": [False],
        "do_layer_norm_before": [False],
        "apply_residual_connection_post_layernorm": [True],
        "rms_norm_eps": [0.5],
        "layer_norm_eps": [0.5],
        "layer_norm_epsilon": [0.5],
        "norm_eps": [0.5],
        "norm_epsilon": [0.5],
        # experts and other parts
        "num_experts": [4],
        "num_local_experts": [4],
        "n_routed_experts": [4],
        "num_experts_per_tok": [2],
        "moe_intermediate_size": [8],
        "mlp_layer_types": [kinds(layers, "sparse")],
        "kv_lora_rank": [4],
        "q_lora_rank": [4],
        "num_kv_shared_layers": [1],
        "hidden_size_per_layer_input": [4],
        "add_cross_attention": [True],
        "is_encoder_decoder": [True],
        # biases
        "attention_bias": [not config.get("attention_bias", False)],
        "mlp_bias": [True],
        "qkv_bias": [True],
        "use_bias": [True, False],
        "bias": [False],
        "lm_head_bias": [True],
        # shape
        "use_parallel_residual": [not config.get("use_parallel_residual", True)],
        "parallel_attn": [True],
        "new_decoder_architecture": [True],
        "head_dim": [2, 64],
        "kv_channels": [2],
        "num_key_value_heads": [heads, None],
        "n_inner": [2 * width],
        "intermediate_size": [2 * width + 2],
        "hidden_act": ["relu", "no_such"],
        "hidden_activation": ["relu", None],
        "activation_function": ["relu"],
        # attention's numbers
        "query_pre_attn_scalar": [7],
        "scale_attn_weights": [False],
        "scale_attn_by_inverse_layer_idx": [True],
        "reorder_and_upcast_attn": [True],
        "attention_scaling": [0.1],
        "attn_scale": [0.1],
        # positions
        "position_embedding_type": ["alibi", "relative_key"],
        "alibi": [True],
        "rope_theta": [50.0],
        "rotary_emb_base": [50.0],
        "rope_local_base_freq": [50.0],
        "partial_rotary_factor": [0.5],
        "rotary_pct": [0.5],
        "rotary_dim": [4],
        "rope_interleaved": [True],
        "rotary_scaling_factor": [2.0],
        "rope_scaling": [
            {"type": "linear", "factor": 4.0},
            {"rope_type": "dynamic", "factor": 2.0},
            {"rope_type": "no_such", "factor": 2.0},
            {"rope_type": "default", "mrope_section": [1, 1, 2]},
            None,
        ],
        "rope_parameters": [
            scaled(rope_theta=50.0),
            scaled(rope_type="linear", factor=4.0),
            scaled(partial_rotary_factor=0.5),
            scaled(rope_type="no_such"),
            none,
        ],
        "original_max_position_embeddings": [4],
        "max_position_embeddings": [64],
        "n_positions": [64],
        # harmless
        "attention_dropout": [0.5],
        "hidden_dropout": [0.5],
        "resid_pdrop": [0.5],
        "embd_pdrop": [0.5],
        "attn_pdrop": [0.5],
        "resid_dropout": [0.5],
        "embed_dropout": [0.5],
        "pretraining_tp": [2],
        "use_cache": [False],
        "initializer_range": [0.5],
        "architectures": [["GraniteForCausalLM"]],
        "num_labels": [3],
        "pruned_heads": [{"0": [0]}],
        "tie_encoder_decoder": [True],
        "torch_dtype": ["bfloat16"],
        "use_flash_attn": [True],
        "gradient_checkpointing": [True],
        "summary_type": ["last"],
        "auto_map": [{"AutoModelForCausalLM": "modeling.Own"}],
        "output_router_logits": [True],
        "use_mup": [True],
        # the family's own names, under the names of others
        "num_hidden_layers": [layers + 1, 1],
        "n_layer": [1],
        "num_layers": [1],
        "n_head": [1],
        "num_heads": [1],
        "n_embd": [4],
        "hidden_size": [4],
        "vocab_size": [17],
        "no_such_key": [1],
    }


def run(folder, ids):
    model, info = AutoModelForCausalLM.from_pretrained(
        folder,
        attn_implementation="eager",
        experts_implementation="eager",
        dtype=torch.float32,
        output_loading_info=True,
    )
    if info["missing_keys"] or info["mismatched_keys"]:
        return None
    with torch.no_grad():
        return model.eval()(ids, use_cache=False).logits[0, -1].float().clone()


cases, logits = [], {}
wanted = sys.argv[1:] or models
if sys.argv[1:]:
    stored = load_file(here / "logits.safetensors")
    for case in json.loads((here / "cases.json").read_text()):
        if case["model"] in wanted:
            continue
        if "logits" in case:
            place = f"{len(logits)}"
            logits[place] = stored[case["logits"]]
            case["logits"] = place
        cases.append(case)
for name in wanted:
    original = json.loads((golden / name / "config.json").read_text())
    expected = load_file(golden / name / "expected.safetensors")
    length = int(expected["attention_mask"][0].sum())
    ids = expected["input_ids"][:1, :length]
    base = run(golden / name, ids)
    assert torch.allclose(base, expected["logits"][0, length - 1], atol=1e-4), name
    for key, values in changes(original).items():
        for value in values:
            if key in original and original[key] == value:
                continue
            with tempfile.TemporaryDirectory() as folder:
                for file in (golden / name).iterdir():
                    if file.name not in ("config.json", "expected.safetensors"):
                        os.symlink(file, Path(folder) / file.name)
                (Path(folder) / "config.json").write_text(json.dumps({**original, key: value}))
                case = {"model": name, "key": key, "value": value}
                try:
                    found = run(folder, ids)
                except Exception as error:
                    case |= {"result": "error", "error": str(error).strip().split("\n")[0][:100]}
                else:
                    if found is None:
                        case["result"] = "weights"
                    elif torch.allclose(found, base, rtol=1e-5, atol=1e-5):
                        case["result"] = "same"
                    else:
                        case["result"] = "other"
                        case["logits"] = f"{len(logits)}"
                        logits[case["logits"]] = found
                cases.append(case)
    print(name, sum(1 for case in cases if case["model"] == name))
lines = ",\n".join(json.dumps(case) for case in cases)
(here / "cases.json").write_text(f"[\n{lines}\n]\n")
save_file(logits, here / "logits.safetensors")
