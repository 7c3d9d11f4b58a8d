"""The metric ``toy/translation``: translation between two domains that was learned without pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ebmsuite.dataset import Dataset, first, split_of
from ebmsuite.errors import UserError
from ebmsuite.evaluation.distances import sliced_wasserstein
from ebmsuite.evaluation.protocol import facts_of
from ebmsuite.methods.cycle_cooperative import CycleCooperative
from ebmsuite.model import Model
from ebmsuite.scores import Score
from ebmsuite_toy.metrics import Split

__all__ = ["Translation"]


@dataclass(frozen=True)
class Translation:
    """Scores of translations of ``n`` held-out events from domain a to domain b.

    ``sliced`` is the sliced Wasserstein-2 distance between the translations and held-out events of b; "floor" in the
    protocol is that of training events of b. ``cycle`` is the root mean squared error after translation by both
    translators to b and back. ``map`` is the root mean squared error of the translations against the known map, if the
    density of b has one; "guess" in the protocol is the error of random events of b. With ``revise`` the energy revises
    the translations, except in ``cycle``.
    """

    set: Split = "test"
    directions: int = 200
    revise: bool = True

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Mapping[str, Score]:
        trainer = model.trainer
        if not isinstance(trainer, CycleCooperative):
            raise UserError("toy/translation: this model does not translate between two domains")
        a, b = (first(split_of(model.streams[k], self.set), n).x for k in ("a", "b"))
        fresh = first(split_of(model.streams["b"], "train"), len(a)).x
        if not len(a) == len(b) == len(fresh):
            raise UserError(
                f"toy/translation: needs equal numbers of events, got {len(a)} of a, {len(b)} of b and {len(fresh)} of "
                "b in training"
            )
        on = a.to(model.device)
        made = trainer.translate(on, rng, "b", self.revise).cpu()
        back = trainer.translate(trainer.translate(on, rng, "b", revise=False), rng, "a", revise=False).cpu()
        facts = facts_of(model, "model", len(a), model.streams["b"][self.set]) | {
            "split": self.set, "n_reference": len(b), "revised": self.revise, "directions": self.directions,
        }  # fmt: skip

        def distance(x: torch.Tensor) -> float:
            return sliced_wasserstein(x, b, self.directions, torch.Generator().manual_seed(0))

        def error(x: torch.Tensor, y: torch.Tensor) -> float:
            return float((x - y).square().sum(1).mean().sqrt())

        scores = {
            "sliced": Score(distance(made), protocol={**facts, "floor": round(distance(fresh), 5)}),
            "cycle": Score(error(back, a), protocol=facts),
        }  # fmt: skip
        known = getattr(getattr(model.streams["b"][self.set], "density", None), "map", None)
        if known is not None:
            true = known(a.double()).to(a)
            scores["map"] = Score(error(made, true), protocol={**facts, "guess": round(error(fresh, true), 4)})
        return scores
