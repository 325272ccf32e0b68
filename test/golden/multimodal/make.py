"""Tiny random multimodal models, and their logits for text alone by transformers.

cases.json has the config.json of each as save_pretrained writes it; multimodal.safetensors has its
weights under `name/weights/` (those of the text model and one of the rest), `name/ids` and
`name/logits`. Made with torch 2.13, transformers 5.18, in float32 with eager attention:

    python make.py
"""

import json
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForImageTextToText

here = Path(__file__).parent
V = 16
text = dict(
    vocab_size=V,
    hidden_size=8,
    intermediate_size=12,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    max_position_embeddings=64,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=0,
)
vision = dict(
    hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, patch_size=4
)
small = dict(vision, image_size=8)
qwen2 = dict(depth=1, embed_dim=8, hidden_size=8, num_heads=1, mlp_ratio=1, patch_size=4)
qwen = dict(depth=1, hidden_size=8, intermediate_size=8, num_heads=1, patch_size=4)
sections = lambda *sizes, **more: dict(
    rope_parameters=dict(rope_type="default", rope_theta=5000.0, mrope_section=list(sizes), **more)
)
growing = dict(
    head_dim=8,
    rope_parameters=dict(
        rope_type="default",
        rope_theta=5000.0,
        original_max_position_embeddings=4,
        llama_4_scaling_beta=0.5,
    ),
)

# name: model_type, model_type of the text model, settings of the text model, of the images, others
cases = {
    "gemma3": ("gemma3", "gemma3_text", dict(head_dim=4, sliding_window=4), small, {}),
    "mistral3": (
        "mistral3",
        "mistral",
        dict(head_dim=6),
        dict(small, model_type="pixtral", head_dim=8),
        {},
    ),
    "mistral3-untied": (
        "mistral3",
        "ministral3",
        growing,
        dict(small, model_type="pixtral", head_dim=8),
        dict(tie_word_embeddings=False),
    ),
    "llava": ("llava", "llama", {}, dict(small, model_type="clip_vision_model"), {}),
    "llava-mistral": ("llava", "mistral", {}, dict(small, model_type="clip_vision_model"), {}),
    "llava_next": ("llava_next", "llama", {}, dict(small, model_type="clip_vision_model"), {}),
    "llava_onevision": (
        "llava_onevision",
        "qwen2",
        {},
        dict(small, model_type="siglip_vision_model"),
        dict(tie_word_embeddings=True),
    ),
    "internvl": (
        "internvl",
        "qwen3",
        dict(head_dim=4),
        dict(vision, image_size=[8, 8], patch_size=[4, 4]),
        {},
    ),
    "idefics3": ("idefics3", "llama", {}, small, {}),
    "smolvlm": ("smolvlm", "llama", {}, small, dict(tie_word_embeddings=True)),
    "qwen2_vl": ("qwen2_vl", "qwen2_vl_text", sections(1, 1, 0), qwen2, {}),
    "qwen2_5_vl": (
        "qwen2_5_vl",
        "qwen2_5_vl_text",
        sections(1, 1, 0),
        dict(qwen, out_hidden_size=8, fullatt_block_indexes=[0]),
        {},
    ),
    "qwen3_vl": (
        "qwen3_vl",
        "qwen3_vl_text",
        dict(head_dim=8, **sections(2, 1, 1, mrope_interleaved=True)),
        dict(qwen, out_hidden_size=8, deepstack_visual_indexes=[0], num_position_embeddings=4),
        {},
    ),
}

configs, tensors = {}, {}
for seed, (name, (kind, text_kind, settings, images, others)) in enumerate(cases.items()):
    generator = torch.Generator().manual_seed(seed)
    config = AutoConfig.for_model(
        kind,
        text_config=dict(text, model_type=text_kind, **settings),
        vision_config=dict(images),
        **others,
    )
    config._attn_implementation = "eager"
    model = AutoModelForImageTextToText.from_config(config, attn_implementation="eager")
    model = model.eval().float()
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.4
    if config.tie_word_embeddings:
        model.tie_weights()
    ids = torch.randint(3, V, (1, 10), generator=generator)
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        state = load_file(Path(folder) / "model.safetensors")
        configs[name] = json.loads((Path(folder) / "config.json").read_text())
    isText = lambda key: (
        "language_model" in key
        or "text_model" in key
        or "lm_head" in key
        or (key.startswith(("model.layers", "model.embed_tokens", "model.norm")))
    )
    images = next(key for key in state if "vis" in key and not isText(key))
    print(name, [key for key in state if isText(key)][:2], images)
    for key, value in state.items():
        if isText(key) and "vision" not in key or key == images:
            tensors[f"{name}/weights/{key}"] = value
    tensors[f"{name}/ids"] = ids
    tensors[f"{name}/logits"] = logits
lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(config)}" for name, config in configs.items())
(here / "cases.json").write_text(f"{{\n{lines}\n}}\n")
save_file(
    {key: value.contiguous() for key, value in tensors.items()}, here / "multimodal.safetensors"
)
