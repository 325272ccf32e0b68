"""Python's numbers for the tests of the data pipeline: json.json.

    python make_json.py
"""

import json
import random
from pathlib import Path

here = Path(__file__).parent
rng = random.Random(20240917)


# json.json: texts, and what json.loads makes of them: null for a refusal, else the value in a list.
# NaN and infinities are null, since JSON has no word for them.
def finite(value):
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and value - value != 0 else value


def loaded(source):
    try:
        return [finite(json.loads(source))]
    except ValueError:
        return None


sources = [
    '{"text": "a", "score": NaN}',
    '{"score": Infinity, "text": "a", "low": -Infinity}',
    '{"text": "NaN and -Infinity", "x": NaN}',
    '{"text": "she said \\"NaN\\"", "x": NaN}',
    '{"text": "ends in \\\\", "x": [NaN, "\\\\\\"Infinity", Infinity]}',
    '{"NaN": NaN, "Infinity": "-Infinity"}',
    "NaN",
    "[NaN,NaN]",
    " [ -Infinity ] ",
    '{"text": "a", "text": "b", "x": NaN}',
    '{"x": NaN, "n": 123456789012345678901234567890, "e": 1e400, "z": -0}',
    '{"x": NaN, "s": "\\ud800 \\udc00 \\ud83d\\ude42"}',
    '{"x": NaN, "nested": {"y": [{"z": -Infinity}]}}',
    '{"x": -NaN}',
    '{"x": +Infinity}',
    '{"x": nan}',
    '{"x": inf}',
    '{"x": NaNN}',
    '{"x": 1NaN}',
    '{"x": nullNaN}',
    '{"x": Infinity1}',
    "{NaN: 1}",
    '{"x": "NaN}',
    '{"x": NaN, "y": "\\"}',
    '{"x": NaN,}',
    '{"x": NaN} NaN',
    "{'x': NaN}",
    '{"x": NaN, "t": "tab\tinside"}',
    '{"x": NaN, "bad": "\\x"}',
    '{"x": --Infinity}',
    "- Infinity",
    "",
]
atoms = ['"', "\\", "NaN", "Infinity", "-", ",", "[", "]", "1", " ", '"a"', "null", ":", "{", "}"]
sources += ["".join(rng.choice(atoms) for _ in range(rng.randrange(1, 9))) for _ in range(400)]
sources += [
    json.dumps([rng.choice([float("nan"), -float("inf"), "NaN", '"', "\\", 1.5]) for _ in range(6)])
    for _ in range(60)
]
(here / "json.json").write_text(json.dumps([[each, loaded(each)] for each in sources]) + "\n")
