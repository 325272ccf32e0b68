"""Small tokenizers of the kinds that models have, and transformers' ids for texts that are hard.

Each folder gets tokenizer.json and tokenizer_config.json; expected.json has, per folder (and for
the shipped model's tokenizer), the ids of every text, whole and truncated to 12 tokens. Made with
transformers 5.18:

    python make.py
"""

import json
import shutil
from pathlib import Path

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import AutoTokenizer

here = Path(__file__).parent
shipped = here.parents[2] / "checkpoints" / "tiny-llama"

texts = [
    "",
    " ",
    "a",
    "Hello, world! It's 3.14159 o'clock; don't you'll we've I'm",
    "   leading, trailing   and\t tabs \n\n newlines \r\n windows",
    "Ünïcödé naïve café e\u0301 \ufb01 ligature Ⅷ ½ ① ﷺ",
    "中文字符和标点。日本語のテキスト、한국어 문장입니다",
    "Здравствуй, мир! Γειά σου Κόσμε שלום עולם مرحبا بالعالم नमस्ते दुनिया สวัสดี",
    "🙂👩‍👩‍👧‍👦🏳️‍🌈👍🏽 emoji \U0001f1e8\U0001f1f3",
    "def f(x):\n    return {'a': [1, 2, 3], \"b\": x**2}  # comment\n",
    "<s> <|eot_id|> </s> <pad> [INST] special tokens in text <|special|>",
    "\u200b\ufeff\u00a0\u3000\u2028zero width\u2060 and odd\u0085 spaces\x00\x07",
    "supercalifragilisticexpialidocious " * 3,
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 1234567890123456789",
    "ſtraße İstanbul ıiIİ ǅ ΣΑΣ Ω\u03a9 \u2126",
]
corpus = (
    texts
    + [
        "the cat sat on the mat and the dog ate the hat",
        "in the beginning was the word",
        "select rows from tables where values match",
    ]
    * 4
)


def save(name, tokenizer, config, specials=None):
    folder = here / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **config}, indent=1) + "\n"
    )
    if specials is not None:
        (folder / "special_tokens_map.json").write_text(json.dumps(specials, indent=1) + "\n")


# byte-level BPE with GPT-2's rule, nothing added around a text; a word as an added token
byte_level = Tokenizer(models.BPE())
byte_level.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
byte_level.decoder = decoders.ByteLevel()
byte_level.train_from_iterator(
    corpus,
    trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    ),
)
byte_level.add_tokens(
    [AddedToken("califragil", normalized=False), AddedToken(" special", lstrip=True)]
)
byte_level.post_processor = processors.ByteLevel(trim_offsets=False)
save(
    "byte-level",
    byte_level,
    {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"},
)

# Llama 2's: BPE over SentencePiece's escaped spaces with byte fallback, BOS before; settings of
# padding and truncation left in the file, and a pad token
sentencepiece = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
sentencepiece.normalizer = normalizers.Sequence(
    [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
)
sentencepiece.decoder = decoders.Sequence(
    [
        decoders.Replace("▁", " "),
        decoders.ByteFallback(),
        decoders.Fuse(),
        decoders.Strip(" ", 1, 0),
    ]
)
fallback = [f"<0x{byte:02X}>" for byte in range(256)]
trained = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
trained.normalizer = sentencepiece.normalizer
trained.train_from_iterator(
    [t for t in corpus if t.isascii()],
    trainers.BpeTrainer(
        vocab_size=420, special_tokens=["<unk>", "<s>", "</s>", *fallback], show_progress=False
    ),
)
parts = json.loads(trained.to_str())
parts["model"].update(byte_fallback=True, fuse_unk=True)
parts["added_tokens"] = [
    token for token in parts["added_tokens"] if token["content"] in ("<unk>", "<s>", "</s>")
]
sentencepiece_full = json.loads(sentencepiece.to_str())
sentencepiece_full["model"] = parts["model"]
sentencepiece_full["added_tokens"] = parts["added_tokens"]
sentencepiece = Tokenizer.from_str(json.dumps(sentencepiece_full))
sentencepiece.add_special_tokens(["<pad>"])
sentencepiece.post_processor = processors.TemplateProcessing(
    single="<s> $A",
    pair="<s> $A <s> $B",
    special_tokens=[("<s>", sentencepiece.token_to_id("<s>"))],
)
sentencepiece.enable_truncation(7)
sentencepiece.enable_padding(length=9, direction="left")
save(
    "sentencepiece",
    sentencepiece,
    {
        "bos_token": {
            "__type": "AddedToken",
            "content": "<s>",
            "lstrip": False,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
        },
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "padding_side": "left",
    },
    specials={
        "pad_token": {
            "content": "<pad>",
            "lstrip": False,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
        },
        "bos_token": "<s>",
        "eos_token": "</s>",
    },
)

# Unigram, EOS after
unigram = Tokenizer(models.Unigram())
unigram.normalizer = normalizers.Sequence(
    [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
)
unigram.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
unigram.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
unigram.train_from_iterator(
    corpus,
    trainers.UnigramTrainer(
        vocab_size=500,
        special_tokens=["<pad>", "</s>", "<unk>"],
        unk_token="<unk>",
        show_progress=False,
    ),
)
unigram.post_processor = processors.TemplateProcessing(
    single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", unigram.token_to_id("</s>"))]
)
save("unigram", unigram, {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"})

# Gemma's: as above without a space before the text, spaces found before merging, BOS before, runs
# of line ends and turns as added tokens
gemma = json.loads(sentencepiece.to_str())
gemma["normalizer"] = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
gemma["pre_tokenizer"] = {
    "type": "Split",
    "pattern": {"String": " "},
    "behavior": "MergedWithPrevious",
    "invert": False,
}
gemma["truncation"] = gemma["padding"] = None
gemma = Tokenizer.from_str(json.dumps(gemma))
gemma.add_tokens(
    [AddedToken(text, normalized=False) for text in ("\n\n", "▁▁", "<start_of_turn>", "中文")]
)
save(
    "gemma",
    gemma,
    {
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "padding_side": "left",
    },
)

# Qwen's and Llama 3's: a rule of its own before the bytes, NFC, whole words that no merges make;
# BOS by a processor in a sequence
words = Tokenizer(models.BPE(ignore_merges=True))
words.normalizer = normalizers.NFC()
words.pre_tokenizer = pre_tokenizers.Sequence(
    [
        pre_tokenizers.Split(
            Regex(
                r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
                r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
            ),
            "isolated",
        ),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
)
words.decoder = decoders.ByteLevel()
words.train_from_iterator(
    corpus,
    trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=["<|begin|>", "<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    ),
)
words.add_special_tokens([AddedToken("<|eot_id|>"), AddedToken("<|special|>", rstrip=True)])
words.post_processor = processors.Sequence(
    [
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(
            single="<|begin|> $A",
            pair="<|begin|> $A $B",
            special_tokens=[("<|begin|>", words.token_to_id("<|begin|>"))],
        ),
    ]
)
save("words", words, {"bos_token": "<|begin|>", "eos_token": "<|end|>"})

# the file's post-processor decides, whatever the settings say of BOS and EOS
save(
    "settings",
    byte_level,
    {
        "bos_token": "<|endoftext|>",
        "eos_token": "<|endoftext|>",
        "add_bos_token": True,
        "add_eos_token": True,
    },
)

expected = {}
for name, folder in [("tiny-llama", shipped)] + [
    (path.parent.name, path.parent) for path in sorted(here.glob("*/tokenizer.json"))
]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    expected[name] = {
        "pad": (
            tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        ),
        "bos": tokenizer.bos_token_id,
        "specials": sorted(
            {id for id, token in tokenizer.added_tokens_decoder.items() if token.special}
            | set(tokenizer.all_special_ids)
        ),
        "ids": [tokenizer(text)["input_ids"] for text in texts],
        "bare": [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts],
        "truncated": [
            tokenizer(text, truncation=True, max_length=12)["input_ids"] for text in texts
        ],
        "decoded": [
            tokenizer.backend_tokenizer.decode(
                tokenizer(text)["input_ids"], skip_special_tokens=False
            )
            for text in texts
        ],
    }
(here / "expected.json").write_text(
    json.dumps({"texts": texts, "tokenizers": expected}, separators=(",", ":")) + "\n"
)
