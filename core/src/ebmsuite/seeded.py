"""Random numbers that are functions of seeds, one seed per example, computed for all examples at once.

`Dataset.batch` gets one seed per example, so that an augmentation does not depend on the batch. A generator per seed
would need a loop over the examples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["seeded_uniform"]


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


STEP = _signed(0x9E3779B97F4A7C15)
FIRST, SECOND = _signed(0xBF58476D1CE4E5B9), _signed(0x94D049BB133111EB)


def seeded_uniform(seeds: Tensor, shape: Sequence[int] = (), salt: int = 0) -> Tensor:
    """Uniform numbers in [0, 1), float32 [B, *shape], of which row i is a function of ``seeds[i]`` and ``salt``.

    ``seeds`` is int64 [B]. Number j of a row is the j-th output of the generator splitmix64 (Steele, Lea, Flood, OOPSLA
    2014), started at the hash of seed and salt, so that neighbouring seeds give independent rows. The first numbers of
    a row do not depend on how many there are. Give different salts to different uses of the same seeds. The values are
    multiples of 2^-24, the same on all devices.
    """
    start = _mix(_mix(seeds) + _mix(torch.full_like(seeds, salt) + STEP))
    counter = torch.arange(1, math.prod(shape) + 1, device=seeds.device)
    bits = _mix(start[:, None] + STEP * counter)  # int64 arithmetic wraps around, as unsigned arithmetic does
    return (_shifted(bits, 40).to(torch.float32) / (1 << 24)).view(len(seeds), *shape)


def _mix(z: Tensor) -> Tensor:
    """The finaliser of splitmix64, a bijection of 64-bit integers."""
    z = (z ^ _shifted(z, 30)) * FIRST
    z = (z ^ _shifted(z, 27)) * SECOND
    return z ^ _shifted(z, 31)


def _shifted(z: Tensor, by: int) -> Tensor:
    """Shift to the right and fill with zeros; the shift of int64 repeats the sign."""
    return (z >> by) & ((1 << (64 - by)) - 1)
