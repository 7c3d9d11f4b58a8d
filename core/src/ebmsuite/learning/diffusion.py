"""The noise levels of diffusion, from data to N(0, I)."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ebmsuite.errors import RecipeError
from ebmsuite.space import time_embedding

__all__ = ["COSINE", "T6", "Diffusion", "Level", "from_betas"]


class Level(NamedTuple):
    """One noising step per row: x_{t+1} = a x_t + sigma n. All fields but ``time`` are [B]."""

    a: Tensor
    sigma: Tensor
    kept: Tensor
    """The factor of the data in x_t = kept x + noise n."""
    noise: Tensor
    noise_next: Tensor
    """The factor of the noise in x_{t+1}."""
    time: Tensor
    """[B, 8], the noise level that a net gets: the `time_embedding` of x_t's position from data, 0, to noise, 1."""
    last: Tensor
    """Whether x_{t+1} is the noisiest level."""


def from_betas(low: float, high: float, steps: int, ends: Sequence[int]) -> tuple[float, ...]:
    """log SNR after each number of steps in ``ends``, for ``steps`` variances beta, linear from ``low`` to ``high``."""
    betas = [low + (high - low) * i / (steps - 1) for i in range(steps)]
    kept = [sum(math.log1p(-b) for b in betas[:end]) for end in ends]  # log kept^2
    return tuple(round(k - math.log(-math.expm1(k)), 6) for k in kept)


def cosine(low: float, high: float, levels: int) -> tuple[float, ...]:
    """log SNR(u) = -2 log tan(a u + b) from ``high`` to ``low`` in ``levels`` steps."""
    first, last = math.atan(math.exp(-high / 2)), math.atan(math.exp(-low / 2))
    return tuple(round(-2 * math.log(math.tan(first + (last - first) * i / levels)), 6) for i in range(levels + 1))


T6 = from_betas(1e-4, 0.02, 1000, (1, 101, 201, 301, 401, 501, 1000))
"""Six steps (Gao et al., ICLR 2021)."""
COSINE = cosine(-5.1, 9.8, 6)
"""Six steps (Zhu et al., ICLR 2024)."""


@dataclass(frozen=True)
class Diffusion:
    """x_t = kept_t x + noise_t n, with kept^2 + noise^2 = 1 and decreasing log SNR_t = 2 log(kept_t / noise_t)."""

    log_snr: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.log_snr) < 2 or any(b >= a for a, b in zip(self.log_snr, self.log_snr[1:], strict=False)):
            raise RecipeError(f"trainer.log_snr: give at least two levels in decreasing order, got {self.log_snr}")

    @property
    def steps(self) -> int:
        """Number of steps from the first level to the noisiest."""
        return len(self.log_snr) - 1

    @property
    def least(self) -> float:
        """The noise factor of the first level."""
        return 1 / math.sqrt(1 + math.exp(self.log_snr[0]))

    @property
    def first_sigma(self) -> float:
        """The noise of the first step, sigma_1."""
        first, second = self.log_snr[:2]
        return math.sqrt(1 - (1 + math.exp(-first)) / (1 + math.exp(-second)))

    def level(self, t: Tensor) -> Level:
        """The step from level t to t + 1, for t int64 [B]."""
        a, sigma, kept, noise, noise_next, time = (values[t] for values in _steps(self.log_snr, t.device))
        return Level(a, sigma, kept, noise, noise_next, time, t == self.steps - 1)


@functools.cache
def _steps(log_snr: tuple[float, ...], device: torch.device) -> tuple[Tensor, ...]:
    """The fields of `Level` except ``last`` for all steps, [steps, ...] each, cached per device."""
    snr = torch.tensor(log_snr, dtype=torch.float64)
    kept, noise = snr.sigmoid().sqrt(), (-snr).sigmoid().sqrt()
    a = kept[1:] / kept[:-1]
    sigma = (noise[1:].square() - (a * noise[:-1]).square()).sqrt()
    place = torch.atan((-snr / 2).exp()) / (math.pi / 2)  # the angle of (kept, noise), as a fraction of a right angle
    time = time_embedding(place)
    return tuple(v.float().to(device) for v in (a, sigma, kept[:-1], noise[:-1], noise[1:], time[:-1]))
