"""Introspective learning: a classifier whose negatives are samples of its own model."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ebmsuite.errors import RecipeError
from ebmsuite.learning.trainer import Draws, Logs, Role, Trainer
from ebmsuite.space import Batch
from ebmsuite.tree import Tree, flatten, take, tree_map, unflatten

__all__ = ["Introspective"]


@dataclass
class Introspective(Trainer):
    """p_s ~ p_(s-1) exp f_s, f_s the logit of a classifier of data against samples of p_(s-1).

    Lazarow, Jin, Tu (ICCV 2017; Tu, CVPR 2007): each stage draws ``pool`` pseudo-negatives from the current model and
    learns to classify them for ``stage`` steps. For the optimal classifier, f_s = log p_data / p_(s-1), and p_s is the
    density of the data. Here the product of all classifiers is one energy, f_s = E_(s-1) - E_s, so the model does not
    grow with the stages. The ratio of normalising constants is in the bias of the energy; an energy without bias needs
    the player ``log_z``, the component "constant". The pool holds negatives of the last stage only, as the identity for
    f_s requires (the paper adds them to those of earlier stages).
    """

    stage: int = 100
    pool: int = 4096

    roles: ClassVar[Mapping[str, Role]] = {"energy": Role("energy"), "log_z": Role("energy", optional=True)}
    draws: ClassVar[Mapping[str, Draws]] = {"negative": Draws("event")}

    def __post_init__(self) -> None:
        if self.stage < 1 or self.pool < 1:
            raise RecipeError(f"trainer: stage and pool must be at least 1, got {self.stage} and {self.pool}")
        self.before = copy.deepcopy(self.players["energy"]).requires_grad_(False).eval()
        self.negatives: Batch | None = None

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        data, energy = batches["data"], self.players["energy"]
        if t % self.stage == 0 or self.negatives is None:
            # synthesis
            ranks = self.players.ranks
            rows = torch.arange(-(-self.pool // ranks.world), device=data.x.device) % len(data)
            asked = Batch(data.x[rows], take(data.condition, rows))
            drawn = self.phases["negative"].draw(asked, rng, asked.condition)
            self.negatives = Batch(ranks.gather(drawn.x), tree_map(ranks.gather, drawn.condition))
            self.before.load_state_dict(energy.state_dict())
        # classification
        chosen = torch.randint(len(self.negatives), (len(data),), generator=rng, device=rng.device)
        negatives = Batch(self.negatives.x[chosen], take(self.negatives.condition, chosen))
        plus, minus = energy(data.x, data.condition), energy(negatives.x, negatives.condition)
        with torch.no_grad():
            logit_data, logit_negatives = (self.before(b.x, b.condition) for b in (data, negatives))
        c = self.players["log_z"](data.x) if "log_z" in self.players else 0.0
        logit_data, logit_negatives = logit_data - plus - c, logit_negatives - minus - c
        loss = (softplus(-logit_data) + softplus(logit_negatives)).mean()
        logs = self.players.update(dict.fromkeys(self.players, loss))
        right = (logit_data > 0).float().mean() + (logit_negatives < 0).float().mean()
        plus, minus = plus.detach(), minus.detach()
        return {"gap": plus.mean() - minus.mean(), "accuracy": right / 2, **logs}

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        return self.phases["negative"].sample(n, rng, condition)

    def state(self) -> dict[str, Tensor]:
        state = {f"before.{k}": v for k, v in self.before.state_dict().items()}
        if self.negatives is not None:
            x, condition = self.negatives.x, self.negatives.condition
            state |= {"x": x, **flatten(condition, "condition", none=x.new_zeros(len(x), 0))}
        return state

    def restore(self, state: Mapping[str, Tensor]) -> None:
        own = {k.removeprefix("before."): v for k, v in state.items() if k.startswith("before.")}
        self.before.load_state_dict(own)
        device = next(self.before.parameters()).device
        on = {k: v.to(device) for k, v in state.items()}
        self.negatives = Batch(on["x"], unflatten(on, "condition")) if "x" in on else None
