"""Unadjusted Langevin dynamics."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, cast

import torch
from torch import Tensor

from ebmsuite.sampling.kernel import Target, normal_like
from ebmsuite.schedule import Schedule
from ebmsuite.space import Space

__all__ = ["Info", "Langevin", "State"]


class State(NamedTuple):
    x: Tensor


class Info(NamedTuple):
    energy: Tensor
    """E [B] at the point before the step, where the gradient was evaluated."""


@dataclass(frozen=True)
class Langevin:
    """Langevin dynamics: x <- x - s (w s dE/dx) + s n e, with e ~ N(0, I).

    The gradient weight is w = h^2 / 2 and the noise scale is n = h sqrt(T) for step size h and temperature T; s is the
    energy's unit of length. Most image EBMs set w and n independently: short-run MCMC uses w = 1 and n = 0.01, which
    samples at temperature n^2 / 2w = 5e-5 (Nijkamp et al., NeurIPS 2019).

    Any number may be a schedule of the learning step. Giving both a temperature and a noise scale is an error, because
    both set the noise.

    With ``clip``, every step ends by clamping x to ``event.range``, the interval of the data, as published for point
    clouds (Xie et al., CVPR 2021). The chains then do not sample exp(-E / T) near the ends of the interval.
    """

    step_size: float | Schedule | None = None
    temperature: float | Schedule | None = None
    gradient_weight: float | Schedule | None = None
    noise_scale: float | Schedule | None = None
    clip: bool = False
    event: Space | None = None
    """The space of the events, of which only the range is used, and only with ``clip``."""

    continuous: ClassVar[bool] = True
    adjusted: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.temperature is not None and self.noise_scale is not None:
            raise ValueError("langevin: temperature and noise_scale both set the noise; give one of them")
        if self.step_size is None and (self.gradient_weight is None or self.noise_scale is None):
            raise ValueError("langevin: give step_size, or both gradient_weight and noise_scale")
        if self.clip and (self.event is None or self.event.range is None):
            raise ValueError("langevin: clip needs events with a range, and these have none; leave out clip")

    def weights(self) -> tuple[float, float]:
        """(w, n). Schedules must have been evaluated (`ebmsuite.schedule.at`)."""
        h, T, w, n = (
            cast("float | None", v) for v in (self.step_size, self.temperature, self.gradient_weight, self.noise_scale)
        )
        if w is None:
            w = cast("float", h) ** 2 / 2
        if n is None:
            n = cast("float", h) * math.sqrt(1.0 if T is None else T)
        return w, n

    def implied_temperature(self) -> float:
        """T = n^2 / 2w: the chains sample exp(-E / T). Without a gradient T is infinite."""
        w, n = self.weights()
        return n * n / (2 * w) if w else math.inf

    def init(self, x: Tensor, target: Target) -> State:
        return State(target.place(x))

    def step(self, state: State, target: Target, rng: torch.Generator) -> tuple[State, Info]:
        (w, n), s = self.weights(), target.scale
        energy, gradient = target.value_and_grad(state.x)
        if isinstance(s, Tensor):
            gradient = s * s * gradient
            x = normal_like(state.x, rng).mul_(n * s).add_(state.x).sub_(gradient, alpha=w)
        else:  # a scalar factor can be fused into the addition, which saves a pass over memory
            x = normal_like(state.x, rng).mul_(n * s).add_(state.x).sub_(gradient, alpha=w * s * s)
        if self.clip:
            assert self.event is not None
            assert self.event.range is not None
            x = x.clamp(*self.event.range)
        return State(target.place(x)), Info(energy)
