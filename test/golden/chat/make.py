"""Ids, texts and masks of conversations by transformers' apply_chat_template.

Run: python test/golden/chat/make.py (transformers 5.18). The templates are our own, in the shape of
those of Llama 3.1, Qwen 3, Gemma 3 and Mistral; `marked` has generation marks. The mask of the
assistant's tokens is transformers' own for `marked`; for the others, a token counts if it begins
between the conversation up to the assistant's turn with its prompt, and up to the end of the turn,
both rendered alone, if these are beginnings of the whole; else null.
"""

import json
import pathlib

from transformers import AutoTokenizer

here = pathlib.Path(__file__).parent
tokenizer = AutoTokenizer.from_pretrained(here / "../../../checkpoints/tiny-llama")
conversations = json.loads((here / "conversations.json").read_text())


def joined(messages):
    """Templates for texts alone get the parts of a content as one text."""
    return [
        {
            **one,
            "content": one["content"]
            if isinstance(one["content"], str)
            else "".join(part["text"] for part in one["content"]),
        }
        for one in messages
    ]


def render(messages, **options):
    return tokenizer.apply_chat_template(messages, tokenize=False, **options)


def mask(text, messages):
    spans = []
    for at, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        begin = render(messages[:at], add_generation_prompt=True)
        end = render(messages[: at + 1])
        if not (text.startswith(begin) and text.startswith(end)):
            return None
        spans.append((len(begin), len(end)))
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)[
        "offset_mapping"
    ]
    return [int(any(a <= start < b for a, b in spans)) for start, _ in offsets]


expected = {}
for name in ["llama-3", "qwen", "gemma", "mistral", "marked"]:
    tokenizer.chat_template = (here / f"{name}.jinja").read_text()
    for key, raw in conversations.items():
        messages = raw if name == "gemma" else joined(raw)
        try:
            text = render(messages)
        except Exception as error:  # the template's own words
            expected[f"{name} {key}"] = {"refused": str(error)}
            continue
        ids = tokenizer.apply_chat_template(messages, return_dict=True)["input_ids"]
        assert ids == tokenizer(text, add_special_tokens=False)["input_ids"]
        found = (
            tokenizer.apply_chat_template(
                messages, return_dict=True, return_assistant_tokens_mask=True
            )["assistant_masks"]
            if name == "marked"
            else mask(text, messages)
        )
        expected[f"{name} {key}"] = {"text": text, "ids": ids, "assistant": found}
lines = [
    f"  {json.dumps(key)}: {json.dumps(one, ensure_ascii=False, separators=(',', ':'))}"
    for key, one in expected.items()
]
(here / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
for key, one in expected.items():
    print(
        key,
        one.get("refused")
        or (len(one["ids"]), None if one["assistant"] is None else sum(one["assistant"])),
    )
