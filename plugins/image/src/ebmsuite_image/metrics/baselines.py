"""Things that learned nothing, as models: what a score must beat, and what it cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset, rows, split_of
from ebmsuite.evaluation.protocol import Sampler, Split, held_out

__all__ = ["NoiseImages", "Of", "PixelGaussian", "baseline"]

Of = Literal["model", "held-out", "pixel-gaussian", "noise"]
"""Whose pictures a metric judges: the model's, or those of a baseline."""


@dataclass(frozen=True)
class PixelGaussian:
    """An independent Gaussian for every pixel and channel, fitted on the training set."""

    data: Mapping[str, Dataset]

    def sample(self, n: int, *, rng: torch.Generator) -> Tensor:
        """[n, C, H, W], not clamped."""
        total, squares, count = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64), 0
        for batch in rows(split_of(self.data, "train")):
            x = batch.x.double().cpu()
            total, squares, count = total + x.sum(0), squares + x.square().sum(0), count + len(x)
        mean = total / count
        sd = (squares / count - mean.square()).clamp(min=0).sqrt()
        mean, sd = mean.float().to(rng.device), sd.float().to(rng.device)
        return mean + sd * torch.randn(n, *mean.shape, generator=rng, device=rng.device)


@dataclass(frozen=True)
class NoiseImages:
    """Every pixel uniform on the range of the data: where the usual chains start."""

    data: Mapping[str, Dataset]

    def sample(self, n: int, *, rng: torch.Generator) -> Tensor:
        """[n, C, H, W] in the range of the data, [-1, 1] where they have none."""
        event = split_of(self.data, "train").event
        low, high = event.range or (-1.0, 1.0)
        return torch.rand(n, *event.fixed, generator=rng, device=rng.device) * (high - low) + low


BASELINES: Mapping[str, Callable[[Mapping[str, Dataset]], Sampler]] = {
    "pixel-gaussian": PixelGaussian,
    "noise": NoiseImages,
}


def baseline(of: Of, data: Mapping[str, Dataset], against: Split) -> Sampler:
    """The baseline ``of`` for a metric whose reference is the split ``against``.

    Errors: `UserError` when held-out examples are asked for and there is no split but the reference.
    """
    if of == "held-out":
        return held_out(data, against)
    if of not in BASELINES:
        raise ValueError(f"{of} is no baseline")
    return BASELINES[of](data)
