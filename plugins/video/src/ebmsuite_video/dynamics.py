"""The density ``video/linear-dynamics``: linear dynamic textures."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmsuite.density import Density
from ebmsuite.errors import RecipeError
from ebmsuite.space import Space
from ebmsuite.tree import Tree

__all__ = ["STABLE", "LinearDynamics", "stabilised"]

STABLE = 0.99
"""The largest absolute value of an eigenvalue of a stabilised transition."""


class LinearDynamics(Density):
    """The linear dynamical system z_t+1 = A z_t + v_t, x_t = mean + C z_t (Doretto et al., IJCV 2003).

    `fit` computes it from clips [N, C, T, H, W]: C are the first ``rank`` principal components of their frames (at most
    T - 2), A is the least-squares transition, stabilised (`stabilised`), v_t is normal with the covariance of the
    residuals, and the first state of a clip is normal with the covariance of the states. It has samples but no density
    of clips, since these lie in a subspace.
    """

    mean: Tensor
    components: Tensor
    transition: Tensor
    noise: Tensor
    first: Tensor

    def __init__(self, event: Space, rank: int = 20) -> None:
        super().__init__()
        if len(event.shape) != 4 or event.fixed[1] < 3:
            raise RecipeError(
                f"video/linear-dynamics: events must be clips [channels, at least 3 frames, height, width], got "
                f"{list(event.shape)}"
            )
        if rank < 1:
            raise RecipeError(f"video/linear-dynamics: rank must be at least 1, got {rank}")
        channels, self.frames, height, width = event.fixed
        self.rank, self.frame = min(rank, self.frames - 2), (channels, height, width)
        pixels = channels * height * width
        self.register_buffer("mean", torch.zeros(pixels))
        self.register_buffer("components", torch.zeros(self.rank, pixels))
        for name in ("transition", "noise", "first"):
            self.register_buffer(name, torch.zeros(self.rank, self.rank))

    def fit(self, x: Tensor) -> None:
        frames = x.transpose(1, 2).flatten(2).double()  # [N, T, pixels]
        mean = frames.mean((0, 1))
        _, s, v = torch.linalg.svd((frames - mean).flatten(0, 1), full_matrices=False)
        components = v[: self.rank]
        z = (frames - mean) @ components.T
        before, after = z[:, :-1].flatten(0, 1), z[:, 1:].flatten(0, 1)
        transition = stabilised(torch.linalg.lstsq(before, after).solution.T)
        left = after - before @ transition.T
        fitted = {
            "mean": mean,
            "components": components,
            "transition": transition,
            "noise": _factor(left.T @ left / len(left)),
            "first": (s[: self.rank] / z.flatten(0, 1).shape[0] ** 0.5).diag(),
        }
        for name, value in fitted.items():
            self.get_buffer(name).copy_(value)

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        def normal() -> Tensor:
            return torch.randn(n, self.rank, generator=rng, device=rng.device)

        states = [normal() @ self.first.T]
        for _ in range(self.frames - 1):
            states.append(states[-1] @ self.transition.T + normal() @ self.noise.T)
        made = self.mean + torch.stack(states, 1) @ self.components
        return made.view(n, self.frames, *self.frame).transpose(1, 2).contiguous()


def stabilised(transition: Tensor) -> Tensor:
    """A matrix with the eigenvalues above `STABLE` in absolute value scaled to it."""
    values, vectors = torch.linalg.eig(transition)
    size = values.abs().clamp(min=1e-12)
    values = values * (size.clamp(max=STABLE) / size)
    stable: Tensor = vectors @ values.diag() @ torch.linalg.inv(vectors)
    return stable.real


def _factor(covariance: Tensor) -> Tensor:
    """A matrix F with F F^T = covariance."""
    jitter = 1e-9 * covariance.trace().clamp(min=1e-12)
    factor: Tensor = torch.linalg.cholesky(covariance + jitter * torch.eye(len(covariance)).to(covariance))
    return factor
