"""Sums over bootstrap resamples by plain Python, whose floats are float64 and never fused.

    python test/golden/bootstrap/make.py > test/golden/bootstrap/expected.json

Words: xorshift128 (Marsaglia 2003), its state mixed from the seed. Sums: for each resample and
column the products count · value, added in the order of the sequences. Numbers are hexadecimal, so
that every bit counts.
"""

import json
import math

MASK = 2**32 - 1


def words(seed):
    counter = seed & MASK

    def mix():
        nonlocal counter
        counter = (counter + 0x9E3779B9) & MASK
        z = counter
        z = ((z ^ (z >> 16)) * 0x85EBCA6B) & MASK
        z = ((z ^ (z >> 13)) * 0xC2B2AE35) & MASK
        return z ^ (z >> 16)

    x, y, z, w = mix(), mix(), mix() ^ ((seed >> 32) & MASK), mix() | 1
    while True:
        t = x ^ ((x << 11) & MASK)
        x, y, z = y, z, w
        w = w ^ (w >> 19) ^ t ^ (t >> 8)
        yield w


def sums(columns, seed, resamples):
    word = words(seed)
    n = len(columns[0])
    rows = []
    for _ in range(resamples):
        counts = [0] * n
        for _ in range(n):
            counts[next(word) * n >> 32] += 1
        row = []
        for column in columns:
            total = 0.0
            for count, value in zip(counts, column):
                total += count * value
            row.append(total.hex())
        rows.append(row)
    return rows


def columns(n):
    """Values whose sums round often: magnitudes over 60 binary orders, both signs."""
    return [
        [math.sin(i + c) * 2.0 ** ((7 * i + 13 * c) % 60 - 30) for i in range(n)] for c in range(3)
    ]


cases = [(42, 23, 12), (0, 150, 8), (2**40 + 7, 64, 6)]
print(
    json.dumps(
        {
            "words": [
                {"seed": seed, "words": [w for w, _ in zip(words(seed), range(6))]}
                for seed, _, _ in cases
            ],
            "sums": [
                {
                    "seed": seed,
                    "columns": [[v.hex() for v in column] for column in columns(n)],
                    "rows": sums(columns(n), seed, resamples),
                }
                for seed, n, resamples in cases
            ],
        }
    )
)
