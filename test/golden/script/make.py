"""Writes calls.pt: a TorchScript module whose methods take and give every kind of value.

Made with PyTorch 2.13.
"""

from pathlib import Path
from typing import Dict, List, Optional, Tuple

import torch


class Calls(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(2, 2)
        with torch.no_grad():
            self.linear.weight.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
            self.linear.bias.copy_(torch.tensor([0.5, -0.5]))
        self.register_buffer("scale", torch.tensor([10.0]))

    def forward(self, x: torch.Tensor, times: int = 1, shift: float = 0.0) -> torch.Tensor:
        return self.linear(x) * times + shift

    @torch.jit.export
    def strings(self, name: str, names: List[str]) -> str:
        return name + ":" + ",".join(names)

    @torch.jit.export
    def dicts(
        self, tensors: Dict[str, torch.Tensor], counts: Dict[int, float]
    ) -> Dict[str, torch.Tensor]:
        total = 0.0
        for key, value in counts.items():
            total += key * value
        return {name + "!": tensor * self.scale + total for name, tensor in tensors.items()}

    @torch.jit.export
    def tuples(
        self, pair: Tuple[torch.Tensor, int], nested: List[Tuple[str, float]]
    ) -> Tuple[int, List[float], Tuple[str, bool]]:
        return pair[1] + int(pair[0].sum()), [value for _, value in nested], (nested[0][0], True)

    @torch.jit.export
    def optional(self, x: Optional[torch.Tensor]) -> Optional[torch.Tensor]:
        if x is None:
            return None
        return x + 1

    @torch.jit.export
    def refuse(self, x: torch.Tensor) -> torch.Tensor:
        if x.numel() > 0:
            raise ValueError("not this one")
        return x


module = torch.jit.script(Calls().eval())
module.save(str(Path(__file__).parent / "calls.pt"))
