"""The metric ``trajectory/weights``: learned against true weights of a cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ebmsuite.dataset import Dataset, split_of
from ebmsuite.errors import UserError
from ebmsuite.evaluation.protocol import facts_of
from ebmsuite.model import Model
from ebmsuite.scores import Score
from ebmsuite_trajectory.controls import ControlCodec, Controls
from ebmsuite_trajectory.costs import LinearCost

__all__ = ["Weights", "angle"]


@dataclass(frozen=True)
class Weights:
    """How near the learned weights of a linear cost are to the known ones of the data.

    ``angle`` is the angle in degrees between learned and true weights, each times the standard deviation over experts
    of its feature (raw weights have different units). ``ratio`` is the length of the learned weights over that of the
    true ones: 1 means that the experts' noise is matched too. ``of: equal`` evaluates equal weights, which learned
    nothing.
    """

    of: str = "model"

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Mapping[str, Score]:
        train = split_of(data, "train")
        codec = train.codec
        if not isinstance(codec, ControlCodec) or not codec.weights:
            raise UserError("trajectory/weights needs data with known weights, such as trajectory/lanes")
        true = torch.tensor(codec.weights)
        if self.of == "equal":
            learned = torch.ones_like(true)
        elif self.of == "model":
            energy = model.players.get("energy")
            if not isinstance(energy, Controls) or not isinstance(energy.cost, LinearCost):
                raise UserError(f"{model.recipe.recipe}: its energy is not a linear cost, so it has no weights")
            learned = energy.cost.weights.detach().cpu()
        else:
            raise UserError(f'of: "{self.of}" is not one of model, equal')
        facts = facts_of(model, self.of, len(train), train) | {
            "experts": len(train),
            "learned": {k: round(float(v), 4) for k, v in zip(codec.features, learned, strict=True)},
            "true": {k: round(float(v), 4) for k, v in zip(codec.features, true, strict=True)},
        }
        return {
            "angle": Score(angle(learned, true), protocol=facts | {"unit": "degrees"}),
            "ratio": Score(float(learned.norm() / true.norm()), protocol=facts),
        }


def angle(a: torch.Tensor, b: torch.Tensor) -> float:
    """The angle between two vectors in degrees."""
    cosine = torch.nn.functional.cosine_similarity(a.double(), b.double(), 0).clamp(-1, 1)
    return math.degrees(float(cosine.acos()))
