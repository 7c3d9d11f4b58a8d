"""Normalising flows, with the library zuko (``pip install "ebmsuite[flows]"``)."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor

from ebmsuite.density import Density, event_sum
from ebmsuite.energy import full_precision
from ebmsuite.errors import MissingData
from ebmsuite.nets.conditioning import numbers_of, width_of
from ebmsuite.space import ConditionSpace, Space
from ebmsuite.tree import Tree

__all__ = ["Flow"]


def _library() -> Any:
    """The module zuko. Raises `MissingData`, which gives the command to install it."""
    try:
        import zuko
    except ImportError as error:
        raise MissingData('the density "flow" needs the package zuko: pip install "ebmsuite[flows]"') from error
    return zuko


class Flow(Density):
    """A normalising flow x = T(u), u ~ N(0, I): an invertible net with a known density.

    T has ``transforms`` layers. Each applies an elementwise map of the given ``kind``, whose parameters an MLP with
    ``depth`` hidden layers of ``width`` units computes: affine (Dinh et al., ICLR 2017; Papamakarios et al., NeurIPS
    2017), or a spline (Durkan et al., NeurIPS 2019), which is the identity outside [-5, 5]. Without ``coupling`` the
    flow is autoregressive: a density costs one pass, a sample costs one pass per coordinate. With ``coupling`` one half
    of the coordinates depends on the other: two passes for densities and samples, but less flexible. ``sd`` is the unit
    of length of the event. Samples are differentiable in the parameters and draw all noise from ``rng``.
    """

    def __init__(
        self,
        event: Space,
        kind: Literal["affine", "spline"] = "spline",
        transforms: int = 3,
        width: int = 64,
        depth: int = 2,
        coupling: bool = False,
        sd: float = 1.0,
        condition: ConditionSpace = None,
    ) -> None:
        super().__init__()
        if sd <= 0:
            raise ValueError(f"a flow needs sd > 0, got {sd}")
        flows = _library().flows
        self.event, self.given, self.sd = event, condition, sd
        self.flow = (flows.NSF if kind == "spline" else flows.MAF)(
            features=event.size,
            context=width_of(condition),
            transforms=transforms,
            hidden_features=[width] * depth,
            passes=2 if coupling else None,
        )

    def _map(self, condition: Tree, like: Tensor) -> Any:
        """T^-1 given the condition, which maps the event to noise. ``like`` has the rows of the event."""
        if self.given is None:
            return self.flow().transform
        return self.flow(numbers_of(condition, self.given, like)).transform

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        noise = torch.randn((n, self.event.size), generator=rng, device=rng.device)
        x: Tensor = self._map(condition, noise).inv(noise)
        return self.sd * x.reshape(n, *self.event.fixed)

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        u, log_volume = self._map(condition, x).call_and_ladj(x.flatten(1) / self.sd)
        size = u.shape[1]
        constant = size * (math.log(self.sd) + math.log(2 * math.pi) / 2)
        log_p: Tensor = log_volume - event_sum(u.square()) / 2 - constant
        return full_precision(log_p)
