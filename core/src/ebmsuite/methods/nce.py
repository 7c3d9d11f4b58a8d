"""Noise contrastive estimation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ebmsuite.density import Density
from ebmsuite.errors import RecipeError
from ebmsuite.learning.trainer import Draws, Logs, Role, Trainer
from ebmsuite.space import Batch
from ebmsuite.tree import Tree, take

__all__ = ["NoiseContrast", "log_ratio"]


def log_ratio(players: Mapping[str, Any], q: Density, x: Tensor, condition: Tree) -> Tensor:
    """log p(x) / q(x) with log p = -E - c, [B]; c is the player ``log_z``, or 0 without it (E must then absorb c)."""
    log_p: Tensor = -players["energy"](x, condition)
    if "log_z" in players:
        log_p = log_p - players["log_z"](x, condition)
    return log_p - q.log_prob(x, condition)


@dataclass
class NoiseContrast(Trainer):
    """Noise contrastive estimation: logistic regression of data against noise q, with log p = -E(x) - c.

    max E_data[log s(l)] + nu E_q[log s(-l)], with the logit l = -E - c - log q - log nu, s the logistic function and nu
    noise samples per example (Gutmann & Hyvarinen, AISTATS 2010 and JMLR 2012, eqs. 8 to 10). At the optimum p is the
    normalised density of the data, for any noise q that is positive where the data are. The closer q is to the data,
    the fewer examples are needed.

    c = log Z is the player ``log_z`` (``{name: constant}``); without it, the bias of E absorbs c. ``noise`` is q,
    ``ratio`` is nu. All of them get the condition. No chain runs in learning; the chains of ``negative`` draw samples.
    """

    noise: Density
    ratio: float = 1.0

    roles: ClassVar[Mapping[str, Role]] = {"energy": Role("energy"), "log_z": Role("energy", optional=True)}
    draws: ClassVar[Mapping[str, Draws]] = {"negative": Draws("event")}

    def __post_init__(self) -> None:
        if self.ratio <= 0:
            raise RecipeError(f"trainer.ratio: noise samples per example must be above 0, got {self.ratio:g}")

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data = batches["data"]
        n = max(1, round(self.ratio * len(data)))
        given = take(data.condition, torch.arange(n, device=data.x.device) % len(data))
        with torch.no_grad():
            noise = self.noise.sample(n, rng, given)
        nu = n / len(data)
        # the logits of data and of noise
        plus = log_ratio(self.players, self.noise, data.x, data.condition) - math.log(nu)
        minus = log_ratio(self.players, self.noise, noise, given) - math.log(nu)
        loss = -logsigmoid(plus).mean() - nu * logsigmoid(-minus).mean()
        logs = self.players.update(dict.fromkeys(self.players, loss))
        plus, minus = plus.detach(), minus.detach()
        right = ((plus > 0).sum() + (minus < 0).sum()) / (len(plus) + len(minus))
        return {"accuracy": right, "logit/data": plus.mean(), "logit/noise": minus.mean(), **logs}

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        return self.phases["negative"].sample(n, rng, condition)
