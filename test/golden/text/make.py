"""Python's numbers for the tests of the data pipeline.

splits.json: texts and the words that str.split() gives. files.json: folders of files (base64) and
their chunks in order, by an implementation of the protocol's text that shares no code with the
project's.

    python make.py
"""

import base64
import json
import os
import random
from pathlib import Path

here = Path(__file__).parent
rng = random.Random(20240917)

white = [chr(c) for c in range(0x110000) if chr(c).isspace() and not 0xD800 <= c < 0xE000]
near = [
    "\ufeff",
    "\u200b",
    "\u180e",
    "\u2060",
    "\x00",
    "\x1b",
    "\x7f",
    "\x84",
    "\x86",
    "\u200c",
    "\u202e",
    "\u205e",
]
word = list("abcXYZ0.,'") + ["é", "中", "🙂", "e\u0301", "\U0001d11e"]


def text(length):
    return "".join(
        rng.choice(white if (kind := rng.random()) < 0.35 else near if kind < 0.45 else word)
        for _ in range(length)
    )


splits = [text(rng.randrange(0, 40)) for _ in range(300)] + [
    "".join(f"x{c}" for c in white),
    "".join(f"x{c}" for c in near),
    "",
    " ",
]
# Every character that is not white space stays inside a word: one text has the whole basic plane.
plane = "".join(chr(c) for c in range(0x3100) if not 0xD800 <= c < 0xE000)
(here / "splits.json").write_text(
    json.dumps(
        {
            "white": [ord(c) for c in white],
            "plane": 0x3100,
            "planeWords": plane.split(),
            "splits": [[t, t.split()] for t in splits],
        }
    )
    + "\n"
)


def record(value, **dump):
    return json.dumps(value, ensure_ascii=rng.random() < 0.5, **dump).encode()


def good(n):
    return record(
        {"id": n, "text": text(rng.randrange(1, 120)), "other": [1, {"text": "not this"}]}
    )


bad = [
    b"{",
    b"not json",
    b'{"text": "unfinished',
    b"[1, 2]",
    b'"a string"',
    b"3",
    b"null",
    b'{"text": 3}',
    b'{"text": null}',
    b'{"text": ["a"]}',
    b'{"text": {}}',
    b'{"text": "\xff\xfe"}',
    b'{"text": "tab	inside"}',
]
empty = [b'{"other": "a b"}', b'{"text": ""}', record({"text": " \u3000\n\t"}), b"{}"]
lines_between = [b"", b"   ", b"\t"]


def file(count, end=b"\n", last=True, bom=False):
    lines = []
    for n in range(count):
        kind = rng.random()
        lines.append(
            good(n)
            if kind < 0.6
            else (
                rng.choice(bad)
                if kind < 0.75
                else rng.choice(empty) if kind < 0.9 else rng.choice(lines_between)
            )
        )
    return (b"\xef\xbb\xbf" if bom else b"") + end.join(lines) + (end if last else b"")


def texts(data, counts):
    if data[:3] == b"\xef\xbb\xbf":
        data = data[3:]
    for line in data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
        if not line.strip():
            continue
        try:
            value = json.loads(line.decode("utf-8"))
        except ValueError:
            counts["notJson"] += 1
            continue
        if not isinstance(value, dict):
            counts["notAnObject"] += 1
        elif "text" in value and not isinstance(value["text"], str):
            counts["notAString"] += 1
        elif not value.get("text", "").split():
            counts["blank"] += 1
        else:
            yield value["text"]


def chunks(files, seq_len, counts):
    for name in sorted(n for n in files if n.endswith(".jsonl")):
        for value in texts(files[name], counts):
            words = value.split()
            for start in range(0, len(words), seq_len):
                yield " ".join(words[start : start + seq_len])


cases = []
for index in range(24):
    names = rng.sample(
        [
            "a.jsonl",
            "b.jsonl",
            "B.jsonl",
            "é.jsonl",
            "z10.jsonl",
            "z9.jsonl",
            "\uff5e.jsonl",
            "\U0001f642.jsonl",
            ".hidden.jsonl",
            "notes.txt",
            "c.jsonl.bak",
        ],
        rng.randrange(2, 6),
    )
    files = {
        name: file(
            rng.randrange(0, 14),
            end=rng.choice([b"\n", b"\n", b"\r\n", b"\r"]),
            last=rng.random() < 0.7,
            bom=rng.random() < 0.3,
        )
        for name in names
    }
    files["a.jsonl"] = files.get("a.jsonl", b"") + b"\n" + record({"text": "at least one"})
    counts = dict(notJson=0, notAnObject=0, notAString=0, blank=0)
    seq_len = rng.choice([2, 3, 7, 512])
    cases.append(
        {
            "files": {name: base64.b64encode(data).decode() for name, data in files.items()},
            "seqLen": seq_len,
            "chunks": list(chunks(files, seq_len, counts)),
            "counts": counts,
        }
    )
(here / "files.json").write_text(json.dumps(cases) + "\n")
