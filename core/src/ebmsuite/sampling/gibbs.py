"""Gibbs with gradients, for discrete events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.sampling.kernel import Held, Info, Target, hold, metropolis

__all__ = ["GibbsWithGradients", "Info"]


@dataclass(frozen=True)
class GibbsWithGradients:
    """Gibbs with gradients: propose a new category for one site of a one-hot event (Grathwohl et al., ICML 2021).

    Events are [B, *sites, C], one-hot in the last dimension. The gradient estimates the change of energy when site i
    goes from its category a to c, d_ic = dE/dx_ic - dE/dx_ia. The pair (i, c) is proposed with probability
    q(i, c | x) ~ exp(-d_ic / 2) over all c other than a (their eq. 4, in the form for categories). It is accepted with
    probability min(1, exp(E(x) - E(x')) q(i, a | x') / q(i, c | x)). A site of scale 0 is never proposed.

    A step costs one evaluation and changes at most one site.
    """

    continuous: ClassVar[bool] = False
    adjusted: ClassVar[bool] = True

    def init(self, x: Tensor, target: Target) -> Held:
        return hold(x, target)

    def step(self, state: Held, target: Target, rng: torch.Generator) -> tuple[Held, Info]:
        x, energy, gradient = state
        free = (torch.as_tensor(target.scale, device=x.device) != 0).expand_as(x)
        log_q, movable = _proposals(x, gradient, free)
        flat = torch.multinomial(log_q.exp(), 1, generator=rng)
        # the site, as [B, *sites, 1], and its new category
        site = torch.zeros_like(log_q).scatter_(1, flat, 1.0).view_as(x)
        chosen = site.sum(-1, keepdim=True) > 0
        new = hold(torch.where(chosen, site, x), target)
        back_q, _ = _proposals(new.x, new.gradient, free)
        back = (x * chosen).flatten(1).argmax(1, keepdim=True)
        log_a = energy - new.energy + (back_q.gather(1, back) - log_q.gather(1, flat)).squeeze(1)
        log_a = torch.where(movable, log_a, -torch.inf)
        return metropolis(log_a, new, state, rng)


def _proposals(x: Tensor, gradient: Tensor, free: Tensor) -> tuple[Tensor, Tensor]:
    """log q(i, c | x) as [B, sites * C], and a mask [B] of rows where a site may move (q is uniform in the others)."""
    d = gradient - (gradient * x).sum(-1, keepdim=True)
    allowed = (free & (x == 0)).flatten(1)
    movable = allowed.any(1)
    logits = (-d / 2).flatten(1).masked_fill(~allowed & movable[:, None], -torch.inf)
    return torch.where(movable[:, None], logits, 0.0).log_softmax(1), movable
