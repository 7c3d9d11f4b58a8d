"""The networks of LB-EBM (Pang, Zhao, Xie, Wu, CVPR 2021): a latent belief, a plan of four steps, and the future.

Widths are the published ones. Differences from the published code: generator and encoder each have an encoder of the
past, because the players of the suite share no parameters; the energy is core's ``mlp`` of z and the past itself (16
numbers, as many as the published detached features); there is no social pooling, which the published ETH-UCY models do
not use either; float32 instead of float64.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from ebmsuite.density import Density, Encoder, Gaussian, event_sum
from ebmsuite.energy import full_precision, in_precision
from ebmsuite.errors import RecipeError
from ebmsuite.generator import Generator
from ebmsuite.nets.mlp import mlp
from ebmsuite.space import Space
from ebmsuite.tree import Tree
from ebmsuite_trajectory.baselines import constant_velocity

__all__ = ["PlanGenerator", "goals_of", "plan_encoder", "plan_generator"]

FEATURES = 16
"""Numbers that the past, and the plan, are encoded to."""


def goals_of(steps: int) -> list[int]:
    """The four steps of a plan, evenly spaced up to the last: 2, 5, 8, 11 of 12 (counted from 0)."""
    if steps < 4:
        raise RecipeError(f"a plan needs at least 4 predicted steps, got {steps}")
    return [math.ceil(steps * part / 4) - 1 for part in (1, 2, 3, 4)]


def _past(condition: dict[str, Space]) -> Space:
    if not isinstance(condition, dict) or "past" not in condition:
        raise RecipeError("the networks of LB-EBM need the past as their condition: use a data set of tracks")
    return condition["past"]


class PlanGenerator(Generator):
    """p(y | z, past): a plan is decoded from z and the past, and the future y from the plan and the past.

    The log-likelihood of a future y is that of its plan (its positions at `goals_of` the steps) and that of all its
    positions, normal with standard deviations ``plan_sd`` and ``sd``, plus the agreement of the decoded plan with the
    decoded future, with ``agreement_sd`` (the three terms of the published loss). The first and third terms make the
    sum an unnormalised log-likelihood. ``decode`` gives the mean future. With ``residual`` (not published), plan and
    future are added to the continuation of the last observed step, so an agent that walks faster than all in training
    is predicted to walk on at its own speed.
    """

    passes_condition: ClassVar[bool] = True

    def __init__(
        self, past: nn.Module, plan: nn.Module, goals: nn.Module, future: nn.Module, latent: Density, steps: int,
        plan_sd: float, sd: float, agreement_sd: float, residual: bool,
    ) -> None:  # fmt: skip
        super().__init__(latent)
        self.past, self.plan, self.goals, self.future = past, plan, goals, future
        self.steps, self.at = steps, goals_of(steps)
        self.plan_sd, self.sd, self.agreement_sd, self.residual = plan_sd, sd, agreement_sd, residual

    def forward(self, z: Tensor, condition: Tree = None) -> tuple[Tensor, Tensor]:
        """The decoded plan [B, 4, 2] and the mean of the future [B, steps, 2]."""
        with in_precision(self.autocast, z):
            seen = self.past(condition["past"].flatten(1))
            plan = self.plan(torch.cat([seen, z.flatten(1)], 1))
            future = self.future(torch.cat([seen, self.goals(plan)], 1))
        plan, future = full_precision(plan).view(-1, 4, 2), full_precision(future).view(-1, self.steps, 2)
        if self.residual:
            straight = constant_velocity(condition["past"], self.steps)
            plan, future = plan + straight[:, self.at], future + straight
        return plan, future

    def log_prob(self, x: Tensor, z: Tensor, condition: Tree = None) -> Tensor:
        plan, future = self(z, condition)
        terms = (
            (x[:, self.at] - plan, self.plan_sd), (x - future, self.sd), (plan - future[:, self.at], self.agreement_sd)
        )  # fmt: skip
        parts = [
            -event_sum(error.square()) / (2 * sd**2) - error[0].numel() * (math.log(sd) + math.log(2 * math.pi) / 2)
            for error, sd in terms
        ]
        return torch.stack(parts).sum(0)

    def draw(self, z: Tensor, rng: torch.Generator, condition: Tree = None) -> Tensor:
        mean: Tensor = self(z, condition)[1]
        return mean + self.sd * torch.randn(mean.shape, generator=rng, device=mean.device, dtype=mean.dtype)

    def decode(
        self, z: Tensor, rng: torch.Generator, condition: Tree = None, temperature: float = 1.0, likeliest: bool = False
    ) -> Tensor:
        future: Tensor = self(z, condition)[1]
        return future


def plan_generator(
    event: Space,
    latent: Space,
    condition: dict[str, Space],
    width: int = 512,
    plan_sd: float = 0.14,
    sd: float = 0.34,
    agreement_sd: float = 0.2,
    latent_sd: float = 1.0,
    residual: bool = False,
) -> PlanGenerator:
    """The generator of LB-EBM; ``width`` scales all layers (512 as published).

    ``residual`` adds plan and future to constant velocity, which is not published. The standard deviations are in the
    units of the event. The defaults, in metres, are those of the published loss on
    ETH-UCY: its weights of squared errors (2/8, 1/24 and 1/8 per number, positions times 60) divided by the weight of
    the KL divergence (0.5 times the batch of 70).
    """
    w, steps = width, event.fixed[0]
    return PlanGenerator(
        mlp([_past(condition).size, w, w // 2, FEATURES], "relu"),
        mlp([FEATURES + latent.size, 2 * w, w, 2 * w, 8], "relu"),
        mlp([8, w // 2, w // 4, FEATURES], "relu"),
        mlp([2 * FEATURES, 2 * w, w, w // 2, event.size], "relu"),
        Gaussian(latent, sd=latent_sd), steps, plan_sd, sd, agreement_sd, residual,
    )  # fmt: skip


class _PlanMoments(nn.Module):
    """Mean and log standard deviation of z given the encoder input ``{"past", "future"}``."""

    def __init__(self, past: nn.Module, plan: nn.Module, head: nn.Module, at: list[int], residual: bool) -> None:
        super().__init__()
        self.past, self.plan, self.head, self.at, self.residual = past, plan, head, at, residual

    def forward(self, seen: Tree) -> Tensor:
        plan = seen["future"][:, self.at]
        if self.residual:
            plan = plan - constant_velocity(seen["past"], self.at[-1] + 1)[:, self.at]
        moments: Tensor = self.head(torch.cat([self.past(seen["past"].flatten(1)), self.plan(plan.flatten(1))], 1))
        return moments


def plan_encoder(
    event: Space, latent: Space, condition: dict[str, Space], width: int = 512, residual: bool = False
) -> Encoder:
    """q(z | past, plan), normal: the encoder of LB-EBM, which sees the plan of the future only.

    ``residual`` is that of the generator: the plan then counts from the continuation of the last observed step.
    """
    w = width
    net = _PlanMoments(
        mlp([_past(condition).size, w, w // 2, FEATURES], "relu"),
        mlp([8, w // 2, w // 4, FEATURES], "relu"),
        mlp([2 * FEATURES, w // 2, w, 2 * latent.size], "relu"),
        goals_of(event.fixed[0]),
        residual,
    )
    return Encoder(net, latent)
