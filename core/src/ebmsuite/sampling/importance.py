"""Importance sampling of integrals over latent vectors, for the likelihood of events under a latent-variable model.

    log p(x) = log int exp(-E(z; x)) dz - log Z,   E(z; x) = E(z) - log p(x | z),   Z = int exp(-E(z)) dz

Each integral is estimated by the mean of the weights exp(-E(z)) / q(z) over draws of a normal q close to exp(-E)
(Burda, Grosse, Salakhutdinov, ICLR 2016). The log of such a mean is too low on average; the bias falls with the number
of draws.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ebmsuite.density import event_sum
from ebmsuite.energy import Energy
from ebmsuite.space import Batch
from ebmsuite.tree import Tree, take, tree_map

__all__ = ["Integral", "integral"]


class Integral(NamedTuple):
    """log int exp(-E(z)) dz per row."""

    log_z: Tensor
    """[B], float64."""
    ess: Tensor
    """[B]: (sum w)^2 / sum w^2, from 1 to the number of draws. If it is near 1, log_z is not reliable."""


@torch.no_grad()
def integral(
    energy: Energy, mean: Tensor, sd: Tensor, n: int, rng: torch.Generator, condition: Tree = None, batch: int = 1024
) -> Integral:
    """Estimate log int exp(-E(z)) dz per row, with ``n`` draws per row of q = N(mean, sd^2).

    ``mean`` and ``sd`` are [B, *event]. At most ``batch`` draws are evaluated at a time.
    """
    weights = []
    rows = max(1, batch // n)
    for i in range(0, len(mean), rows):
        m, s = mean[i : i + rows], sd[i : i + rows]
        given = tree_map(lambda v: v.repeat_interleave(n, 0), take(condition, slice(i, i + rows)))
        m, s = m.repeat_interleave(n, 0), s.repeat_interleave(n, 0)
        noise = torch.randn(m.shape, generator=rng, device=m.device, dtype=m.dtype)
        log_q = -event_sum((noise.square() / 2 + s.log() + math.log(2 * math.pi) / 2).double())
        parts = [energy(p.x, p.condition).double() for p in Batch(m + s * noise, given).parts(batch)]
        weights.append((-torch.cat(parts) - log_q).view(-1, n))
    log_w = torch.cat(weights)
    log_z = log_w.logsumexp(1) - math.log(n)
    return Integral(log_z, (2 * log_w.logsumexp(1) - (2 * log_w).logsumexp(1)).exp())
