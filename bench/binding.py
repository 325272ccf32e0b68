"""Time of the calls of binding.mjs from Python: {"name": seconds per call, ...} on standard output.

The median of five batches after one that warms up. Arguments: threads, then NAME=CALLS for each
measurement.
"""

import json
import sys
import time

import torch

torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(0)
a, b, x, y = torch.randn(4), torch.randn(4), torch.randn(16, 16), torch.randn(16, 16)
m, n = torch.randn(2048, 2048), torch.randn(2048, 2048)
p, q = m.bfloat16(), n.bfloat16()


def chain():
    z = x
    for _ in range(25):
        z = torch.sub(torch.relu(torch.mul(torch.add(z, y), 0.5)), y)


calls = {
    'add': lambda: torch.add(a, b),
    'chain': chain,
    'matmul': lambda: torch.matmul(m, n),
    'matmulBf16': lambda: torch.matmul(p, q),
}


def measure(call, count):
    times = []
    for batch in range(6):
        start = time.perf_counter()
        for _ in range(count):
            call()
        if batch > 0:
            times.append((time.perf_counter() - start) / count)
    return sorted(times)[2]


with torch.inference_mode():
    print(
        json.dumps(
            {
                name: measure(calls[name], int(count))
                for name, count in (word.split('=') for word in sys.argv[2:])
            }
        )
    )
