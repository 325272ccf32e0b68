"""What transformers' AutoTokenizer makes of the files of a tokenizer: ids, special tokens, padding.

Each case of cases.json is a tokenizer of ../models-tokenizers (`base`) with other files beside it:
`files` lie in its folder, `changes` are laid over tokenizer.json. `expected` are the answers of
transformers 5.18. Made with:

    python make.py
"""

import json
import tempfile
from pathlib import Path

from transformers import AutoTokenizer

here = Path(__file__).parent
base = here.parent / "models-tokenizers"

texts = [
    "a",
    "  two  spaces, Ünïcödé e\u0301 \ufb01 don't 12345\n\n\tnew",
    "<s>first <pad> </s> second<|endoftext|>third <|padding|><unk> fourth <bos> <eos>",
    "中文<|user|>日本 <|bot|> x<|plain|>y [EXTRA] <|begin|> <|eot_id|>  z <mask>",
    "🙂👩‍👩‍👧 ﷺ Ⅷ",
    "नमस्ते q\u0301u x\u20dd",
]
end = "<|endoftext|>"
token = lambda content, **flags: {
    "content": content,
    "lstrip": False,
    "normalized": False,
    "rstrip": False,
    "single_word": False,
    **flags,
}
cases = []


def case(name, base, changes=None, **files):
    files = {f"{key}.json": value for key, value in files.items()}
    cases.append({"name": name, "base": base, "changes": changes or {}, "files": files})


# classes, by the model's type and by the settings
for kind in (
    *("gpt2", "gpt_neo", "gpt_neox", "qwen2", "qwen3", "llama", "gemma", "gemma2", "gemma3"),
    *("gptj", "opt", "phi", "olmo", "cohere", "qwen2_5_vl", "qwen3_vl", "internvl"),
    *("qwen3_moe", "qwen3_5", "qwen3_5_text", "qwen3_5_moe", "qwen3_next", "olmoe"),
):
    plain = "sentencepiece" if kind in ("llama", "gemma", "gemma2", "gemma3") else "byte-level"
    case(f"{kind} by the type alone", plain, config={"model_type": kind}, tokenizer_config={})
    case(
        f"{kind} with a generic class",
        plain,
        config={"model_type": kind},
        tokenizer_config={"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "a"},
    )
for kind, name, plain in (
    ("gpt_neox", "GPTNeoXTokenizer", "byte-level"),
    ("gpt_neox", "GPTNeoXTokenizerFast", "words"),
    ("gpt2", "GPT2Tokenizer", "words"),
    ("llama", "GPT2Tokenizer", "words"),
    ("olmo2", "GPT2Tokenizer", "words"),
    ("qwen2", "Qwen2Tokenizer", "words"),
    ("qwen2", "LlamaTokenizerFast", "words"),
    ("qwen3", "LlamaTokenizerFast", "words"),
    ("llama", "LlamaTokenizer", "sentencepiece"),
    ("llama", "LlamaTokenizerFast", "gemma"),
    ("llama", "NoSuchTokenizer", "sentencepiece"),
    ("mistral", "LlamaTokenizer", "sentencepiece"),
    ("phi3", "LlamaTokenizerFast", "sentencepiece"),
    ("gemma2", "GemmaTokenizerFast", "gemma"),
    ("cohere2", "CohereTokenizerFast", "words"),
    ("stablelm", "GPTNeoXTokenizer", "words"),
    ("granite", "GPT2Tokenizer", "words"),
    ("olmo3", "GPT2Tokenizer", "words"),
    ("falcon", "GPT2Tokenizer", "words"),
    ("smollm3", "GPT2Tokenizer", "words"),
    ("ministral3", "LlamaTokenizerFast", "sentencepiece"),
    ("mistral3", "LlamaTokenizerFast", "sentencepiece"),
    ("glm4", "LlamaTokenizerFast", "sentencepiece"),
    ("olmo", "GPT2Tokenizer", "words"),
    ("phi", "CodeGenTokenizer", "byte-level"),
    ("llava", "LlamaTokenizer", "sentencepiece"),
    ("smolvlm", "GPT2Tokenizer", "words"),
    ("gemma3_text", "GemmaTokenizer", "sentencepiece"),
):
    case(
        f"{kind} with {name} on {plain}",
        plain,
        config={"model_type": kind},
        tokenizer_config={"tokenizer_class": name, "eos_token": "</s>"},
    )
case(
    "a class in config.json",
    "byte-level",
    config={"model_type": "llama", "tokenizer_class": "GPTNeoXTokenizer"},
    tokenizer_config={},
)
case("a class without a model", "byte-level", tokenizer_config={"tokenizer_class": "GPT2Tokenizer"})

# flags
for name, settings in {
    "legacy": {"legacy": True},
    "legacy null": {"legacy": None},
    "no space before": {"add_prefix_space": False},
    "BOS and EOS asked for": {"add_bos_token": True, "add_eos_token": True},
    "no BOS asked for": {"add_bos_token": False},
}.items():
    case(
        f"llama: {name}",
        "sentencepiece",
        config={"model_type": "llama"},
        tokenizer_config={"tokenizer_class": "LlamaTokenizer", **settings},
    )
for kind in ("GPT2Tokenizer", "GPTNeoXTokenizer", "Qwen2Tokenizer"):
    case(
        f"{kind}: a space before",
        "byte-level",
        tokenizer_config={"tokenizer_class": kind, "add_prefix_space": True, "add_bos_token": True},
    )
case(
    "gpt_neox: a post-processor in the file",
    "words",
    config={"model_type": "gpt_neox"},
    tokenizer_config={"tokenizer_class": "GPTNeoXTokenizer", "bos_token": "<|begin|>"},
)

# padding
padding = {
    "strategy": {"Fixed": 9},
    "direction": "Left",
    "pad_to_multiple_of": None,
    "pad_id": 0,
    "pad_type_id": 0,
    "pad_token": "b",
}
for kind in ("PreTrainedTokenizerFast", "GPT2Tokenizer", "GPTNeoXTokenizer", "Qwen2Tokenizer"):
    for name, settings in {
        "absent": {},
        "null": {"pad_token": None},
        "in the vocabulary": {"pad_token": "a"},
        "nowhere": {"pad_token": "[PAD]"},
        "an object": {"pad_token": {"__type": "AddedToken", **token("[PAD]", rstrip=True)}},
    }.items():
        case(
            f"{kind}: pad token {name}",
            "byte-level",
            {"padding": padding},
            tokenizer_config={"tokenizer_class": kind, "eos_token": end, **settings},
        )
case(
    "llama: padding in the file",
    "sentencepiece",
    {"padding": padding},
    config={"model_type": "llama"},
    tokenizer_config={"tokenizer_class": "LlamaTokenizer"},
)

# added tokens
fast = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": end}
neox = {"tokenizer_class": "GPTNeoXTokenizer"}
decoder = {
    "0": token(end, special=True),
    "402": token("<|user|>", special=True),
    "403": token("<|plain|>", special=False, normalized=True, lstrip=True),
    "500": token("<|bot|>", special=True, rstrip=True),
}
for name, settings in {"fast": fast, "neox": neox}.items():
    case(
        f"{name}: added_tokens_decoder",
        "byte-level",
        tokenizer_config={**settings, "added_tokens_decoder": decoder},
    )
    case(
        f"{name}: added_tokens_decoder beside older files",
        "byte-level",
        tokenizer_config={**settings, "added_tokens_decoder": decoder},
        special_tokens_map={"pad_token": "b", "additional_special_tokens": ["[EXTRA]"]},
        added_tokens={"<mask>": 404},
    )
    case(
        f"{name}: an empty added_tokens_decoder",
        "byte-level",
        tokenizer_config={**settings, "added_tokens_decoder": {}, "pad_token": "a"},
        special_tokens_map={"pad_token": "b"},
    )
    case(
        f"{name}: added_tokens.json",
        "byte-level",
        tokenizer_config={**settings, "additional_special_tokens": ["<|user|>", "[EXTRA]"]},
        added_tokens={"<|bot|>": 404, "<|user|>": 403, "<|plain|>": 402},
    )
    case(
        f"{name}: special_tokens_map.json",
        "byte-level",
        tokenizer_config={**settings, "pad_token": "a", "bos_token": "<s>"},
        special_tokens_map={
            "pad_token": token("<pad>", lstrip=True),
            "unk_token": "<unk>",
            "additional_special_tokens": ["<|user|>", "<|bot|>"],
        },
    )
    case(
        f"{name}: extra_special_tokens",
        "byte-level",
        tokenizer_config={
            **settings,
            "extra_special_tokens": ["<|user|>"],
            "additional_special_tokens": ["<|bot|>"],
            "image_token": "[EXTRA]",
        },
        special_tokens_map={"extra_special_tokens": ["<|plain|>"]},
    )
    case(
        f"{name}: extra_special_tokens by name",
        "byte-level",
        tokenizer_config={**settings, "extra_special_tokens": {"user_token": "<|user|>"}},
    )
    case(
        f"{name}: tokens of the file named",
        "byte-level",
        {
            "added_tokens": [
                {"id": 0, **token(end, special=True)},
                {"id": 400, **token("<|user|>", special=False, normalized=True)},
                {"id": 401, **token("<|plain|>", special=False)},
            ]
        },
        tokenizer_config={**settings, "bos_token": "<|user|>", "mask_token": "<mask>"},
    )

for each in cases:
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = json.loads((base / each["base"] / "tokenizer.json").read_text())
        tokenizer.update(each["changes"])
        files = {"config.json": {}, **each["files"], "tokenizer.json": tokenizer}
        for name, content in files.items():
            (Path(folder) / name).write_text(json.dumps(content))
        made = AutoTokenizer.from_pretrained(folder)
        each["class"] = type(made).__name__
        each["expected"] = {
            "pad": made.pad_token_id if made.pad_token_id is not None else made.eos_token_id,
            "bos": made.bos_token_id,
            "specials": sorted(
                {id for id, added in made.added_tokens_decoder.items() if added.special}
                | set(made.all_special_ids)
            ),
            "size": len(made),
            "ids": [made(text)["input_ids"] for text in texts],
        }
lines = ",\n".join(json.dumps(each, ensure_ascii=False) for each in cases)
(here / "cases.json").write_text(
    f'{{"texts": {json.dumps(texts)}, "cases": [\n{lines}\n]}}\n', encoding="utf-8"
)
