"""Things that learned nothing, as models: what a score must beat, and what it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset, split_of
from ebmsuite.errors import UserError
from ebmsuite_image.metrics.examples import Split, pictures

__all__ = ["HeldOut", "NoiseImages", "Of", "PixelGaussian", "Sampler", "baseline"]

Of = Literal["model", "held-out", "pixel-gaussian", "noise"]
"""Whose pictures a metric judges: the model's, or those of a baseline."""


class Sampler(Protocol):
    """What a metric needs of a model: pictures [n, C, H, W] in the range of the data."""

    def sample(self, n: int, *, rng: torch.Generator) -> Tensor: ...


@dataclass(frozen=True)
class HeldOut:
    """Real examples of the split ``set``, each at most once: the best that a model can do, up to chance."""

    data: Mapping[str, Dataset]
    set: Split = "valid"

    def sample(self, n: int, *, rng: torch.Generator) -> Tensor:
        """[n, C, H, W] in [-1, 1], or all examples when they are fewer: the count belongs with the score."""
        dataset = split_of(self.data, self.set)
        index = torch.randperm(len(dataset), generator=rng, device=rng.device)[:n]
        return torch.cat(list(pictures(dataset, index))).to(rng.device)


@dataclass(frozen=True)
class PixelGaussian:
    """An independent Gaussian for every pixel and channel, fitted on the training set."""

    data: Mapping[str, Dataset]

    def sample(self, n: int, *, rng: torch.Generator) -> Tensor:
        """[n, C, H, W], not clamped."""
        total, squares, count = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64), 0
        for x in pictures(split_of(self.data, "train")):
            x = x.double().cpu()
            total, squares, count = total + x.sum(0), squares + x.square().sum(0), count + len(x)
        mean = total / count
        sd = (squares / count - mean.square()).clamp(min=0).sqrt()
        mean, sd = mean.float().to(rng.device), sd.float().to(rng.device)
        return mean + sd * torch.randn(n, *mean.shape, generator=rng, device=rng.device)


@dataclass(frozen=True)
class NoiseImages:
    """Every pixel uniform on [-1, 1]: what chains of the usual start are before their first step."""

    data: Mapping[str, Dataset]

    def sample(self, n: int, *, rng: torch.Generator) -> Tensor:
        """[n, C, H, W] in [-1, 1]."""
        shape = split_of(self.data, "train").event.fixed
        return torch.rand(n, *shape, generator=rng, device=rng.device) * 2 - 1


def baseline(of: Of, data: Mapping[str, Dataset], against: Split) -> Sampler:
    """The baseline ``of`` for a metric whose reference is the split ``against``.

    Held-out examples are those of "valid", or of "train" where there is no such split or it is the reference
    itself.

    Errors: `UserError` when no split but the reference is left.
    """
    if of == "pixel-gaussian":
        return PixelGaussian(data)
    if of == "noise":
        return NoiseImages(data)
    if of != "held-out":
        raise ValueError(f"{of} is no baseline")
    options: tuple[Split, ...] = ("valid", "train")
    for name in options:
        if name != against and name in data and len(data[name]):
            return HeldOut(data, name)
    raise UserError(f'held-out pictures need another split than the reference "{against}": give "valid"')
