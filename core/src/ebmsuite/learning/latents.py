"""What an encoder infers, and the numbers that show whether the latent vector is in use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from ebmsuite.density import Density, Encoder, Gaussian
from ebmsuite.learning.trainer import Logs
from ebmsuite.sampling import Phase, temperature
from ebmsuite.space import Batch

__all__ = ["ACTIVE", "Inferred", "infer", "temperatures_agree"]

ACTIVE = 0.01
"""The variance over examples of a coordinate's posterior mean, above which the coordinate is active."""


class Inferred(NamedTuple):
    """One z per example from an encoder, with the moments of q(z | x) if the encoder is normal."""

    z: Tensor
    """[B, *latent]."""
    mean: Tensor | None = None
    """[B, *latent]."""
    log_sd: Tensor | None = None
    """[B, *latent]."""

    def divergence(self, base: Density) -> Tensor | None:
        """KL(q(z | x) || base) in nats per coordinate, [B, d]; None unless both are normal."""
        if self.mean is None or self.log_sd is None or not isinstance(base, Gaussian):
            return None
        return base.divergence(self.mean, self.log_sd).flatten(1)

    @torch.no_grad()
    def use(self, base: Density) -> Logs:
        """The logs that show posterior collapse. They cost no pass of a net and no random number.

        ``kl`` is KL(q(z | x) || base) in nats per example. ``active`` is the number of coordinates whose posterior
        mean has a variance above `ACTIVE` over the batch: the active units of Burda, Grosse, Salakhutdinov (ICLR
        2016). ``z/posterior`` is the root mean square of z. A base or an encoder that is not normal has no ``kl``; an
        encoder without moments has no ``active``.
        """
        logs = {"z/posterior": self.z.detach().square().mean().sqrt()}
        kl = self.divergence(base)
        if kl is not None:
            logs["kl"] = kl.sum(1).mean()
        if self.mean is not None:
            logs["active"] = (self.mean.flatten(1).var(0, correction=0) > ACTIVE).sum().float()
        return logs


def infer(encoder: Density, batch: Batch, rng: torch.Generator) -> Inferred:
    """One z ~ q(z | x) per example."""
    seen = encoder.sees(batch)
    if isinstance(encoder, Encoder):
        return Inferred(*encoder.draw(rng, seen))
    return Inferred(encoder.sample(len(batch), rng, seen))


def temperatures_agree(phases: Mapping[str, Phase], posterior: str | None = None) -> list[str]:
    """A caution if z+ and z- are drawn at different temperatures, else an empty list.

    z- is from the phase "prior", z+ from the phase ``posterior``; None if an encoder draws it, which has temperature 1.
    """
    first = 1.0 if posterior is None else temperature(phases[posterior].sampler)
    second = temperature(phases["prior"].sampler)
    if first is None or second is None or abs(first - second) <= 1e-6 * max(first, second):
        return []
    of = "the encoder draws z" if posterior is None else f"phases.{posterior} draws z"
    return [
        f"{of} at temperature {first:.3g} and phases.prior at temperature {second:.3g}: the energy also learns this "
        "difference, so exp(-E) is not the density of the posterior's z; set both to the same temperature"
    ]
