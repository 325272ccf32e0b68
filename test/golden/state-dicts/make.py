"""One small TopK SAE in the checkpoints that training scripts write, and plain SAEs.

    python make.py

expected.json has activations, and for each file the settings it needs and the reconstruction that
PyTorch gives.
"""

import argparse
import collections
import dataclasses
import datetime
import enum
import json
import pathlib
import random

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.nn.utils import parametrizations, parametrize, prune

here = pathlib.Path(__file__).parent
torch.manual_seed(7)
d, m, k = 6, 10, 3
h = torch.randn(5, d) * 2 + 0.5
expected = {"h": h.tolist(), "files": {}}


class SAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.pre_bias = nn.Parameter(torch.randn(d) * 0.1)
        self.latent_bias = nn.Parameter(torch.randn(m) * 0.1)
        self.encoder = nn.Linear(d, m, bias=False)
        self.decoder = nn.Linear(m, d, bias=False)


def family(state):
    """The RouteSAE family's TopK: pre(h), no ReLU."""
    mean, std = h.mean(-1, keepdim=True), h.std(-1, keepdim=True)
    x = (h - mean) / (std + 1e-6) - state["pre_bias"]
    a = x @ state["encoder.weight"].T + state["latent_bias"]
    top = a.topk(k)
    z = torch.zeros_like(a).scatter(-1, top.indices, top.values)
    return (z @ state["decoder.weight"].T + state["pre_bias"]) * std + mean


def expect(name, reconstruction, **given):
    expected["files"][name] = {"given": given, "reconstruction": reconstruction.tolist()}


sae = SAE()
state = {name: value.detach().clone() for name, value in sae.state_dict().items()}
right = family(state)
other = {name: value + 1 for name, value in state.items()}


def nested(name, saved, reconstruction=right, prefix=None, **options):
    torch.save(saved, here / name, **options)
    given = {"kind": "TopK", "k": k} | ({} if prefix is None else {"prefix": prefix})
    expect(name, reconstruction, **given)


def renamed(change):
    return {change(name): value for name, value in state.items()}


# Prefixes and wrappers.
ema = torch.optim.swa_utils.AveragedModel(sae)
ema.update_parameters(sae)
nested("averaged.pt", ema.state_dict())
nested("averaged-in-dict.pt", {"ema": ema.state_dict(), "step": 3})
nested(
    "compiled-parallel-averaged.pt",
    renamed(lambda n: f"module._orig_mod.module.{n}") | {"n_averaged": torch.tensor(2)},
)
nested(
    "interleaved.pt",
    renamed(
        lambda n: n.replace("encoder.", "encoder._orig_mod.").replace(
            "decoder.", "decoder._checkpoint_wrapped_module."
        )
    ),
)
nested("fsdp.pt", renamed(lambda n: f"_fsdp_wrapped_module.sae._fsdp_wrapped_module.{n}"))
wrapped = SAE()
wrapped.load_state_dict(state)
wrapped.encoder = checkpoint_wrapper(wrapped.encoder)
# Its state dict has plain names; those of its parameters are wrapped.
nested("wrapped-parameters.pt", dict(wrapped.named_parameters()))
nested(
    "lightning.pt",
    {
        "epoch": 1,
        "pytorch-lightning_version": "2.5",
        "state_dict": renamed(lambda n: f"model.sae.{n}")
        | {"model.loss_weight": torch.tensor(2.0)},
        "hyper_parameters": {"k": 3, "args": argparse.Namespace(lr=1e-3)},
        "callbacks": {"ModelCheckpoint": {"best": pathlib.PurePosixPath("a.ckpt")}},
        "optimizer_states": [torch.optim.Adam(sae.parameters()).state_dict()],
    },
)
nested(
    "attribute.pt",
    {"trainer": {"autoencoder": collections.OrderedDict(state)}, "step": torch.tensor(3)},
)
nested("list.pt", [{"step": 1}, {"net.module": {}, **renamed(lambda n: f"net.{n}")}])
nested("same-twice.pt", {"model": state, "best": state})
nested(
    "model-and-ema.pt",
    {"model": state, "ema": {f"module.{n}": v for n, v in other.items()}},
    prefix="model.",
)
nested("layers.pt", {"blocks.0": other, "blocks.1": state}, prefix="blocks.1")
save_file(
    {f"a.{n}": v for n, v in state.items()} | {f"b.module.{n}": v for n, v in other.items()},
    here / "two.safetensors",
)
expect("two.safetensors", family(other), kind="TopK", k=k, prefix="b")
save_file(
    renamed(lambda n: f"module.{n}")
    | {
        "flag": torch.tensor([True]),
        "seed": torch.tensor([7], dtype=torch.uint32),
        "cache": torch.ones(4).to(torch.float8_e4m3fn),
        "c": torch.ones(2, dtype=torch.complex64),
    },
    here / "beside.safetensors",
)
expect("beside.safetensors", right, kind="TopK", k=k)

# Objects beside it.


class Mode(enum.Enum):
    train = 1


@dataclasses.dataclass
class Config:
    k: int = 3
    mode: Mode = Mode.train


class Bag(dict):
    pass


class Custom:
    def __init__(self):
        self.tensors = [torch.ones(2)]


optimizer = torch.optim.AdamW(sae.parameters())
sum(p.square().sum() for p in sae.parameters()).backward()
optimizer.step()
sae.load_state_dict(state)
nested(
    "objects.pt",
    {
        "model": state,
        "optimizer": optimizer.state_dict(),
        "best": np.float64(0.5),
        "flag": np.bool_(True),
        "history": np.arange(3.0),
        "names": np.array(["a", "b"]),
        "config": Config(),
        "mode": Mode.train,
        "bag": Bag(a=1),
        "custom": Custom(),
        "out": pathlib.PurePosixPath("a"),
        "when": datetime.datetime(2025, 1, 2),
        "took": datetime.timedelta(seconds=3),
        "seen": {1, 2},
        "frozen": frozenset([3]),
        "counts": collections.Counter("aab"),
        "groups": collections.defaultdict(list, a=[1]),
        "queue": collections.deque([1.0], maxlen=3),
        "size": torch.Size([1, 2]),
        "device": torch.device("cuda:1"),
        "dtype": torch.float8_e5m2,
        "complex": 1 + 2j,
        "bytes": bytearray(b"a"),
        "rng": [
            torch.get_rng_state(),
            np.random.RandomState(0).get_state(),
            random.Random(0).getstate(),
        ],
        "generator": torch.Generator(),
        "loss": nn.MSELoss(),
        "optimizer_class": torch.optim.AdamW,
        "sparse": torch.eye(2).to_sparse(),
        "csr": torch.eye(2).to_sparse_csr(),
        "quantized": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
        "meta": torch.ones(2, device="meta"),
        "nested": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
        "jagged": torch.nested.nested_tensor([torch.ones(2)], layout=torch.jagged),
        "conjugate": torch.ones(2, dtype=torch.complex64).conj(),
        "uint16": torch.ones(2, dtype=torch.uint16),
        "float8": torch.ones(2).to(torch.float8_e5m2),
    },
)
nested("in-bag.pt", {"weights": Bag(state), "step": 1})
for protocol in (1, 2, 3, 4, 5):
    for zipped in (True, False):
        name = f"protocol-{protocol}{'' if zipped else '-legacy'}.pt"
        saved = {
            "model": state,
            "args": argparse.Namespace(a="é\\u"),
            "n": 2**70,
            "on": True,
            "seen": frozenset([1.5]),
        }
        nested(name, saved, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)

# Weights that torch computes from others.
normed = SAE()
normed.load_state_dict(state)
parametrizations.weight_norm(normed.decoder, dim=1)
with torch.no_grad():
    normed.decoder.parametrizations.weight.original0.mul_(1.5)
nested(
    "weight-norm.pt",
    {"sae": normed.state_dict()},
    family(state | {"decoder.weight": normed.decoder.weight.detach()}),
)
old = SAE()
old.load_state_dict(state)
torch.nn.utils.weight_norm(old.encoder)
with torch.no_grad():
    old.encoder.weight_g.mul_(0.5)
nested(
    "weight-norm-old.pt",
    {f"module.{n}": v for n, v in old.state_dict().items()},
    family(
        state
        | {
            "encoder.weight": old.encoder.weight_v.detach()
            * (old.encoder.weight_g / old.encoder.weight_v.norm(dim=1, keepdim=True)).detach()
        }
    ),
)

# Refused by name.


class UnitNorm(nn.Module):
    def forward(self, weight):
        return weight / weight.norm(dim=0)


def refused(name, saved):
    torch.save(saved, here / f"bad-{name}.pt")


unit = SAE()
parametrize.register_parametrization(unit.decoder, "weight", UnitNorm())
refused("parametrized", unit.state_dict())
spectral = SAE()
parametrizations.spectral_norm(spectral.encoder)
refused("spectral", spectral.state_dict())
pruned = SAE()
prune.l1_unstructured(pruned.encoder, "weight", 3)
refused("pruned", pruned.state_dict())
refused("sparse", state | {"encoder.weight": state["encoder.weight"].to_sparse()})
refused(
    "quantized",
    state
    | {"encoder.weight": torch.quantize_per_tensor(state["encoder.weight"], 0.1, 0, torch.qint8)},
)
refused("integers", state | {"encoder.weight": state["encoder.weight"].to(torch.int32)})
refused(
    "negated",
    state | {"latent_bias": torch.complex(state["latent_bias"], state["latent_bias"]).conj().imag},
)
refused("gate", state | {"b_gate": torch.ones(m)})
refused("threshold", state | {"log_threshold": torch.ones(m)})
refused("numpy", {"model": {name: value.numpy() for name, value in state.items()}})
refused("module-beside-tensors", {"model": SAE(), "loss": torch.tensor(1.0)})
refused("custom-holds-it", {"run": Custom(), "loss": torch.tensor(1.0)})
refused("two", {"model": state, "ema": other})

# Plain SAEs.
we, be = torch.randn(m, d) * 0.5, torch.randn(m) * 0.1
wd, bd = torch.randn(d, m) * 0.5, torch.randn(d) * 0.1


def relu(x=None, subtract=False, be=be, bd=bd):
    a = ((h if x is None else x) - (bd if subtract else 0)) @ we.T + be
    return a.relu(), bd


def decoded(z, bd=bd):
    return z @ wd.T + bd


def largest(z, count=k):
    top = z.topk(count)
    return torch.zeros_like(z).scatter(-1, top.indices, top.values)


def plain(name, saved, reconstruction, **given):
    if name.endswith(".safetensors"):
        save_file(saved, here / name)
    else:
        torch.save(saved, here / name)
    expect(name, reconstruction, **({"kind": "Vanilla"} | given))


linear = {"encoder.weight": we, "encoder.bias": be, "decoder.weight": wd, "decoder.bias": bd}
matrices = {"W_enc": we.T.contiguous(), "b_enc": be, "W_dec": wd.T.contiguous(), "b_dec": bd}
z, _ = relu()
zs, _ = relu(subtract=True)
plain("plain_layer_3.pt", linear, decoded(z))
plain(
    "plain-linear.pth",
    {n.replace("coder.", "coder_linear."): v for n, v in linear.items()},
    decoded(z),
)
plain(
    "plain-in-dict.pt",
    {"sae": {f"module.{n}": v for n, v in linear.items()}, "cfg": Config()},
    decoded(z),
)
plain(
    "plain-no-biases.safetensors",
    {"encoder.weight": we, "decoder.weight": wd.contiguous()},
    (h @ we.T).relu() @ wd.T,
)
plain(
    "plain-no-decoder-bias.pt", {n: v for n, v in linear.items() if n != "decoder.bias"}, z @ wd.T
)
plain("plain-matrices.pt", matrices, decoded(zs))
plain("plain-matrices-raw.pt", matrices, decoded(z), preBias=False)
plain("plain-matrices-turned.pt", matrices | {"W_enc": we, "W_dec": wd}, decoded(zs))
plain("plain-matrices-turned-no-biases.pt", {"W_enc": we, "W_dec": wd}, (h @ we.T).relu() @ wd.T)
plain("plain-linear-pre-bias.pt", linear, decoded(zs), preBias=True)
plain("plain-topk.pt", linear, decoded(largest(z)), kind="TopK", k=k)
plain(
    "plain-topk-count.pt",
    {
        "encoder.weight": we,
        "encoder.bias": be,
        "decoder.weight": wd,
        "b_dec": bd,
        "k": torch.tensor(k),
    },
    decoded(largest(zs)),
    kind="TopK",
)
theta = torch.rand(m)
a = h @ we.T + be
plain(
    "plain-jumprelu.pt",
    matrices | {"threshold": theta},
    decoded(a.relu() * (a > theta)),
    kind="JumpReLU",
)
plain(
    "plain-log-jumprelu.pt",
    linear | {"log_threshold": theta.log()},
    decoded(a.relu() * (a > theta)),
    kind="JumpReLU",
)
gate, mag, r = torch.randn(m) * 0.1, torch.randn(m) * 0.1, torch.randn(m) * 0.1
e = (h - bd) @ we.T
plain(
    "plain-gated.pt",
    {
        "W_enc": we.T.contiguous(),
        "W_dec": wd.T.contiguous(),
        "b_dec": bd,
        "b_gate": gate,
        "b_mag": mag,
        "r_mag": r,
    },
    decoded((e + gate > 0) * (e * r.exp() + mag).relu()),
    kind="Gated",
)
square = torch.randn(d, d)
plain(
    "plain-square.pt",
    {"W_enc": square, "W_dec": square.T.contiguous() + 1},
    (h @ square).relu() @ (square.T + 1),
)
plain(
    "plain-square-linear.pt",
    {"encoder.weight": square, "decoder.weight": square + 1},
    (h @ square.T).relu() @ (square + 1).T,
)
mean, var = h.mean(-1, keepdim=True), h.std(-1, keepdim=True)
x = (h - mean) / (var + 1e-5)
plain("plain-layer-norm.pt", linear, decoded(relu(x)[0]) * var + mean, normalization="layer-norm")
x = (h - mean) / (var + 1e-6)
plain("plain-pre.pt", linear, decoded(relu(x)[0]) * var + mean, normalization="pre")
norm = h.norm(dim=-1, keepdim=True) / d**0.5
plain("plain-token-norm.pt", linear, decoded(relu(h / norm)[0]) * norm, normalization="token-norm")
plain("plain-scale.pt", linear, decoded(relu(h * 0.25)[0]) / 0.25, scale=0.25)
raw = (h - state["pre_bias"]) @ state["encoder.weight"].T + state["latent_bias"]
plain(
    "family-raw.pt",
    state,
    raw.relu() @ state["decoder.weight"].T + state["pre_bias"],
    normalization="none",
)
refused(
    "unset-threshold",
    {
        "encoder.weight": we,
        "encoder.bias": be,
        "decoder.weight": wd,
        "b_dec": bd,
        "threshold": torch.tensor(-1.0),
    },
)
refused("running-mean", linear | {"running_mean": torch.ones(d)})
refused("two-biases", linear | {"b_dec": bd})
refused("no-decoder", {"encoder.weight": we, "encoder.bias": be})

(here / "expected.json").write_text(json.dumps(expected) + "\n")
