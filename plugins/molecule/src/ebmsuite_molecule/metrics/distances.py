"""Distances between sets of molecules given as numbers: pure functions, in float64 where precision matters."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebmsuite_molecule.chemistry import BITS

__all__ = [
    "bit_rows",
    "cosine",
    "internal_diversity",
    "nearest",
    "tanimoto",
    "wasserstein",
    "wilson",
]

_ROWS = 2_000
"""Number of rows of the similarity matrix that are in memory at once."""


def bit_rows(on: Sequence[Sequence[int]], bits: int = BITS) -> Tensor:
    """Convert fingerprints from the indices of their set bits to float32 [N, bits] of 0 and 1."""
    rows = torch.zeros(len(on), bits)
    for i, numbers in enumerate(on):
        rows[i, list(numbers)] = 1
    return rows


def tanimoto(a: Tensor, b: Tensor) -> Tensor:
    """Tanimoto similarity [N, M] of bit rows [N, D] and [M, D]: |a and b| / |a or b|; 0 if both rows are empty."""
    common = a @ b.T
    either = a.sum(1)[:, None] + b.sum(1) - common
    return common / either.clamp(min=1)


def nearest(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """For each bit row of ``a``, return the index, int64 [N], of the nearest row of ``b``, and the similarity [N]."""
    found = [tanimoto(part, b).max(1) for part in torch.split(a, _ROWS)]
    return torch.cat([f.indices for f in found]), torch.cat([f.values for f in found])


def internal_diversity(a: Tensor) -> float:
    """1 - the mean similarity of all ordered pairs of bit rows, including each row with itself (MOSES, IntDiv_1)."""
    total = sum(float(tanimoto(part, a).sum(dtype=torch.float64)) for part in torch.split(a, _ROWS))
    return 1 - total / len(a) ** 2


def cosine(a: Counter[str], b: Counter[str]) -> float:
    """Cosine similarity of two vectors of counts (MOSES, Frag and Scaf); 0 if either is empty."""
    product = sum(n * b[key] for key, n in a.items())
    norms = math.sqrt(sum(n * n for n in a.values()) * sum(n * n for n in b.values()))
    return product / norms if norms else 0.0


def wasserstein(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Wasserstein-1 distance of two scalar samples: the area between their cumulative distribution functions."""
    both = np.sort(np.concatenate([a, b]))
    below = [np.searchsorted(np.sort(x), both[:-1], side="right") / len(x) for x in (a, b)]
    return float(np.sum(np.abs(below[0] - below[1]) * np.diff(both)))


def wilson(k: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Confidence interval of the proportion ``k`` / ``n``, 95% by default (Wilson 1927); (0, 1) if n is 0."""
    if n == 0:
        return 0.0, 1.0
    share, z2 = k / n, z * z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)
