"""Baselines without learning, as samplers: simple models to beat, and held-out real examples as the upper limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset, rows, split_of
from ebmsuite.errors import UserError
from ebmsuite.evaluation.protocol import SampleSource, Split, held_out
from ebmsuite.model import Model
from ebmsuite.space import Batch
from ebmsuite.tasks.infer import reconstruct

__all__ = ["NoiseImages", "Of", "PixelGaussian", "baseline"]

Of = Literal["model", "start", "reconstructed", "held-out", "pixel-gaussian", "noise"]
"""The source of the pictures that a metric evaluates: the model or a baseline."""


@dataclass(frozen=True)
class PixelGaussian:
    """An independent Gaussian per pixel and channel, fitted to the training set."""

    data: Mapping[str, Dataset]

    def sample(self, n: int, *, rng: torch.Generator) -> Tensor:
        """Draw [n, C, H, W], not clamped."""
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
    """Uniform noise over the range of the data in every pixel, the usual start of chains."""

    data: Mapping[str, Dataset]

    def sample(self, n: int, *, rng: torch.Generator) -> Tensor:
        """Draw [n, C, H, W] in the range of the data, or in [-1, 1] if the data have none."""
        event = split_of(self.data, "train").event
        low, high = event.range or (-1.0, 1.0)
        return torch.rand(n, *event.fixed, generator=rng, device=rng.device) * (high - low) + low


@dataclass(frozen=True)
class Starts:
    """The pictures at which the chains of a model start."""

    model: Model

    def sample(self, n: int, *, rng: torch.Generator) -> Tensor:
        """[n, C, H, W], not clamped."""
        return self.model.starts(n, rng)


@dataclass(frozen=True)
class Reconstructed:
    """Pictures of ``source`` as a model's generator reconstructs them from the latent vectors that it infers."""

    model: Model
    source: SampleSource

    def sample(self, n: int, *, rng: torch.Generator) -> Tensor:
        """[n, C, H, W]."""
        return reconstruct(self.model, Batch(self.source.sample(n, rng=rng)), rng)


BASELINES: Mapping[str, Callable[[Mapping[str, Dataset]], SampleSource]] = {
    "pixel-gaussian": PixelGaussian,
    "noise": NoiseImages,
}


def baseline(of: Of, data: Mapping[str, Dataset], against: Split, model: object = None) -> SampleSource:
    """The baseline ``of`` for a metric whose reference is the split ``against``; some need the trained ``model``.

    Errors: `UserError` when ``of`` needs held-out examples and neither "valid" nor "train" is there besides the
    reference, or when it needs a trained model and there is none.
    """
    if of == "held-out":
        return held_out(data, against)
    if of in BASELINES:
        return BASELINES[of](data)
    if not isinstance(model, Model):
        raise UserError(f'of: "{of}" is about a trained model; this is {type(model).__name__}')
    return Starts(model) if of == "start" else Reconstructed(model, held_out(data, against))
