"""An energy of events whose chains start from the samples of a latent energy that is learned before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.density import Density
from ebmsuite.errors import RecipeError
from ebmsuite.learning.trainer import Draws, Logs, Role
from ebmsuite.methods.latent_dsm import LatentScoreMatching
from ebmsuite.methods.mle import MaximumLikelihood
from ebmsuite.sampling.chains import Bank
from ebmsuite.schedule import Schedule
from ebmsuite.space import Batch
from ebmsuite.tree import Tree

__all__ = ["LatentRefinement"]


class Drawn(Density):
    """The density of what ``draw(n, rng, condition)`` returns, which is known only through its samples."""

    def __init__(self, draw: Callable[[int, torch.Generator, Tree], Tensor]) -> None:
        super().__init__()
        self.draw = draw

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        return self.draw(n, rng, condition)


@dataclass
class LatentRefinement(LatentScoreMatching):
    """`LatentScoreMatching` for ``first`` + ``second`` steps, then maximum likelihood of an energy of events.

    The stages are an auto-encoder (``first`` steps), the energy ``prior`` of its latent vectors (``second`` steps), and
    the energy of events, by `MaximumLikelihood` with ``data_noise`` and ``energy_l2``. The chains of ``negative`` in
    the third stage start from samples of the first two, if the recipe's chains are ``{name: bank, size: ...}`` without
    a density. So the latent energy makes events of the right kind, and a short chain on the energy of events corrects
    what the generator cannot draw, such as sharp edges. Before its stage, an energy keeps its initial values; its
    schedules count from its stage. In the third stage, the players of the others have their moving averages and are
    frozen.

    Samples are the ends of ``negative`` from new samples of the first two stages. Xiao, Kreis, Kautz, Vahdat (ICLR
    2021) refine the samples of a variational auto-encoder with a normal prior, in two stages, by chains that move z and
    the noise of x; here the chains move x.
    """

    second: int = 1000
    data_noise: float | Schedule = 0.0
    energy_l2: float = 0.0

    roles: ClassVar[Mapping[str, Role]] = {
        "energy": Role("energy"),
        "prior": Role("energy", noise_conditional=True),
        "generator": Role("generator"),
        "encoder": Role("density"),
    }
    draws: ClassVar[Mapping[str, Draws]] = {"prior": Draws("latent", "prior"), "negative": Draws("event", several=True)}
    learner: ClassVar[str] = "prior"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.second < 0:
            raise RecipeError(f"trainer.second: the steps of score matching must be at least 0, got {self.second}")
        self.refining = MaximumLikelihood(
            self.players, self.phases, data_noise=self.data_noise, energy_l2=self.energy_l2
        )
        chains = self.phases["negative"].chains
        if isinstance(chains, Bank) and chains.density is None:
            chains.density = Drawn(super().sample)

    def step(self, t: int, batches: Mapping[str, Batch], rng: torch.Generator) -> Logs:
        begin = self.first + self.second
        if t < begin:
            return super().step(t, batches, rng)
        if t == begin:
            self.players.reset("energy")
            for name in ("prior", "generator", "encoder"):
                if name in self.players.ema:
                    self.players[name].load_state_dict(self.players.ema[name].state_dict())
        return self.refining.step(t - begin, batches, rng)

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        return self.refining.sample(n, rng, condition)
