"""What transformers takes for a size that config.json leaves out, for every model type.

Golden models lose one field; sizes.json has the value that transformers 5.18 computes with then.
A model without its number of heads gets a width of 64 for each. Made with transformers 5.18:

    python make_sizes.py
"""

import json
from pathlib import Path

import transformers
from transformers import CONFIG_MAPPING

transformers.logging.set_verbosity_error()
golden = Path(__file__).parent.parent
places = ["max_position_embeddings", "n_positions"]
heads = ["num_attention_heads", "n_head", "num_heads"]
groups = ["num_key_value_heads", "num_kv_heads"]

cases, seen = [], set()
for path in sorted(golden.glob("models*/*/config.json")):
    config = json.loads(path.read_text())
    kind = config.get("model_type")
    if kind not in CONFIG_MAPPING or "text_config" in config or kind in seen:
        continue
    seen.add(kind)
    for names, attribute in [(places, "max_position_embeddings"), (heads, "num_attention_heads")]:
        name = next((name for name in names if name in config), None)
        if name is None:
            continue
        less = {key: value for key, value in config.items() if key != name}
        case = {"model": str(path.parent.relative_to(golden)), "without": [name]}
        if names is heads:
            default = CONFIG_MAPPING[kind]().num_attention_heads
            width = "n_embd" if "n_embd" in less else "hidden_size"
            case["without"] += [key for key in [*groups, "head_dim"] if key in less]
            case["with"] = {width: 64 * default}
        less = {key: value for key, value in less.items() if key not in case["without"]}
        read = CONFIG_MAPPING[kind].from_dict({**less, **case.get("with", {})})
        cases.append({**case, "value": getattr(read, attribute)})
        if names is heads and hasattr(read, "num_key_value_heads") and kind != "falcon":
            cases[-1]["groups"] = read.num_key_value_heads
        print(cases[-1])

(Path(__file__).parent / "sizes.json").write_text(json.dumps(cases, indent=1) + "\n")
