"""Cycle-consistent cooperative learning: translation between two domains without pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ebmsuite.errors import UserError
from ebmsuite.learning.trainer import Draws, Logs, Role, Trainer
from ebmsuite.memory import DECODED
from ebmsuite.sampling import Start
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["CycleCooperative"]


@dataclass
class CycleCooperative(Trainer):
    """Two pairs of a translator and an energy with a cycle loss (Xie, Zheng et al., AAAI 2021, algorithm 1).

        translate  b^ = G_b(a),  a^ = G_a(b)
        revise     b~ and a~ by K Langevin steps on E_b and E_a from b^ and a^
        energies   E_b(b) - E_b(b~),  E_a(a) - E_a(a~)
        generators |b~ - G_b(a)|^2 + |a~ - G_a(b)|^2 + lambda (|G_a(G_b(a)) - a|_1 + |G_b(G_a(b)) - b|_1)

    a and b are unpaired batches of the streams "a" and "b". Generators are conditioned on the event of the other domain
    and have an empty latent vector (``latent: 0``). Squares and absolute values are means over coordinates, so that the
    published lambda, ``cycle`` = 10, applies, with L1 as in the code (the paper has squares). Published settings
    (code): K = 20, step size 0.002 with a reference of sd 0.016 and no noise, Adam with beta_1 = 0.5 at 2e-4.

    Samples are events of domain b: revised translations G_b(a) of the events a given as the condition (`translate`
    works in both directions). Without a condition, they translate the last batch of a in learning, which the model
    stores.
    """

    cycle: float = 10.0

    roles: ClassVar[Mapping[str, Role]] = {
        "energy_a": Role("energy", condition=lambda s: None),
        "energy_b": Role("energy", condition=lambda s: None),
        "to_a": Role("generator", condition=lambda s: s.event),
        "to_b": Role("generator", condition=lambda s: s.event),
    }
    draws: ClassVar[Mapping[str, Draws]] = {"a": Draws("event", "energy_a"), "b": Draws("event", "energy_b")}
    streams: ClassVar[tuple[str, ...]] = ("a", "b")

    def __post_init__(self) -> None:
        self.seen: Tensor | None = None

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        a, b = batches["a"], batches["b"]
        self.seen = a.x
        made = {"b": self._to("b", a.x, rng), "a": self._to("a", b.x, rng)}
        losses, logs, teaching = {}, {}, torch.zeros((), device=a.x.device)
        for domain, data in (("a", a), ("b", b)):
            energy = self.players[f"energy_{domain}"]
            revised = self.phases[domain].draw(data, rng, None, Start(made[domain].detach()))
            losses[f"energy_{domain}"] = (energy(data.x) - energy(revised.x)).mean()
            teaching = teaching + (revised.x - made[domain]).square().mean()
            logs[f"gap/{domain}"] = losses[f"energy_{domain}"].detach()
        cycle = (self._to("a", made["b"], rng) - a.x).abs().mean() + (self._to("b", made["a"], rng) - b.x).abs().mean()
        losses["to_a"] = losses["to_b"] = teaching + self.cycle * cycle
        return {
            "gap": logs["gap/a"] + logs["gap/b"],
            "teaching": teaching.detach(),
            "cycle": cycle.detach(),
            **logs,
            **self.players.update(losses),
        }

    def _to(self, domain: str, x: Tensor, rng: torch.Generator) -> Tensor:
        generator = self.players[f"to_{domain}"]
        event: Tensor = generator.decode(generator.latent.sample(len(x), rng), rng, x)
        return event

    @torch.no_grad()
    def translate(self, x: Tensor, rng: torch.Generator, to: Literal["a", "b"] = "b", revise: bool = True) -> Tensor:
        """Translate events of the other domain to domain ``to``; with ``revise``, chains on its energy revise them."""
        made = torch.cat([self._to(to, part, rng) for part in torch.split(x, DECODED)])
        return self.phases[to].sample(len(made), rng, None, Start(made)) if revise else made

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        if condition is None:
            if self.seen is None:
                raise UserError("cycle-cooperative: give the events of domain a to translate as the condition")
            condition = self.seen.to(rng.device)[torch.arange(n, device=rng.device) % len(self.seen)]
        return self.translate(condition, rng)

    def state(self) -> dict[str, Tensor]:
        return {} if self.seen is None else {"seen": self.seen}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.seen = state.get("seen")
