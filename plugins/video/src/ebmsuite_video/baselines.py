"""Baselines of synthesis, as samplers: a linear dynamical system, and clips made of the training clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset, first, split_of
from ebmsuite.errors import UserError
from ebmsuite.evaluation.protocol import SampleSource
from ebmsuite.space import Space
from ebmsuite_video.dynamics import LinearDynamics

__all__ = ["Of", "baseline"]

Of: TypeAlias = Literal["model", "fresh", "held-out", "lds", "shuffled", "reversed", "noise"]
"""Whose clips a metric judges.

"model" are the kept chains of learning, "fresh" are new chains; "held-out" is the other half of the film; "lds" is
`ebmsuite_video.dynamics.LinearDynamics`; "shuffled" and "reversed" are the training clips with their frames in random
or reverse order; "noise" is white noise with the mean and the standard deviation of the training clips.
"""


@dataclass(frozen=True)
class _Changed:
    """The training clips, in random order of frames, reversed, or replaced by white noise."""

    x: Tensor
    how: Literal["shuffled", "reversed", "noise"]

    def sample(self, n: int, *, rng: torch.Generator) -> Tensor:
        clips = self.x[torch.arange(n, device=self.x.device) % len(self.x)]
        if self.how == "reversed":
            return clips.flip(2)
        if self.how == "noise":
            noise = torch.randn(clips.shape, generator=rng, device=rng.device)
            return self.x.mean() + self.x.std() * noise
        orders = [torch.randperm(clips.shape[2], generator=rng, device=rng.device) for _ in clips]
        return torch.stack([clip[:, order] for clip, order in zip(clips, orders, strict=True)])


def baseline(of: Of, data: Mapping[str, Dataset], device: torch.device) -> SampleSource:
    """The baseline ``of``. `UserError` for "held-out" if the film is too short for a second half."""
    if of == "held-out":
        if "valid" not in data or len(data["valid"]) == 0:
            raise UserError("held-out clips are the frames after the training clip, and this film has too few frames")
        return _Rows(first(data["valid"]).x.to(device))
    x = first(split_of(data, "train")).x.to(device)
    if of == "lds":
        system = LinearDynamics(Space(tuple(x.shape[1:]))).to(device)
        system.fit(x)
        return system
    if of in ("shuffled", "reversed", "noise"):
        return _Changed(x, of)
    raise ValueError(f"{of} is no baseline")


@dataclass(frozen=True)
class _Rows:
    x: Tensor

    def sample(self, n: int, *, rng: torch.Generator) -> Tensor:
        return self.x[:n]
