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

__all__ = ["LinearDynamics", "Of", "baseline"]

Of: TypeAlias = Literal["model", "fresh", "held-out", "lds", "shuffled", "reversed", "noise"]
"""Whose clips a metric judges.

"model" are the kept chains of learning, "fresh" are new chains; "held-out" is the other half of the film; "lds" is
`LinearDynamics`; "shuffled" and "reversed" are the training clips with their frames in random or reverse order; "noise"
is white noise with the mean and the standard deviation of the training clips.
"""

STABLE = 0.99
"""The largest absolute value of an eigenvalue of a stabilised transition."""


@dataclass(frozen=True)
class LinearDynamics:
    """The linear dynamical system of a clip: z_t+1 = A z_t + v_t, x_t = mean + C z_t (Doretto et al., IJCV 2003).

    C are the first ``rank`` principal components of the frames; A is fitted by least squares, and v_t is normal with
    the covariance of the residuals. It is stabilised by scaling every eigenvalue of A with an absolute value above
    `STABLE` to that value. Samples start at the state of the first frame, and of clip i if there are several.
    """

    x: Tensor
    rank: int = 20

    def sample(self, n: int, *, rng: torch.Generator) -> Tensor:
        """Draw [n, C, T, H, W]."""
        return torch.stack([self._one(self.x[i % len(self.x)], rng) for i in range(n)])

    def _one(self, clip: Tensor, rng: torch.Generator) -> Tensor:
        frames = clip.transpose(0, 1).flatten(1).double()
        mean, rank = frames.mean(0), min(self.rank, len(frames) - 2)
        u, s, v = torch.linalg.svd(frames - mean, full_matrices=False)
        z, components = u[:, :rank] * s[:rank], v[:rank]
        transition = stabilised(torch.linalg.lstsq(z[:-1], z[1:]).solution.T)
        left = z[1:] - z[:-1] @ transition.T
        covariance = left.T @ left / len(left)
        jitter = 1e-9 * covariance.trace().clamp(min=1e-12) * torch.eye(rank, dtype=z.dtype, device=z.device)
        factor = torch.linalg.cholesky(covariance + jitter)
        state, states = z[0], [z[0]]
        for _ in range(len(frames) - 1):
            noise = torch.randn(rank, generator=rng, device=rng.device).to(z)
            state = transition @ state + factor @ noise
            states.append(state)
        made = mean + torch.stack(states) @ components
        frames_first: Tensor = made.view(clip.shape[1], clip.shape[0], *clip.shape[2:])
        return frames_first.transpose(0, 1).to(clip.dtype)


def stabilised(transition: Tensor) -> Tensor:
    """A matrix with the eigenvalues above `STABLE` in absolute value scaled to it."""
    values, vectors = torch.linalg.eig(transition)
    size = values.abs().clamp(min=1e-12)
    values = values * (size.clamp(max=STABLE) / size)
    stable: Tensor = vectors @ values.diag() @ torch.linalg.inv(vectors)
    return stable.real


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
        return LinearDynamics(x)
    if of in ("shuffled", "reversed", "noise"):
        return _Changed(x, of)
    raise ValueError(f"{of} is no baseline")


@dataclass(frozen=True)
class _Rows:
    x: Tensor

    def sample(self, n: int, *, rng: torch.Generator) -> Tensor:
        return self.x[:n]
