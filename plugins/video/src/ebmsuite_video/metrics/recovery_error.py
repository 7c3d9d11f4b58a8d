"""The error of recovered voxels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch

from ebmsuite.dataset import Dataset, first, split_of
from ebmsuite.errors import UserError
from ebmsuite.evaluation.protocol import facts_of
from ebmsuite.model import Model
from ebmsuite.scores import Score
from ebmsuite_video.energies import GREY
from ebmsuite_video.fills import filled

__all__ = ["RecoveryError"]


@dataclass(frozen=True)
class RecoveryError:
    """Mean absolute error of the recovered voxels on the scale 0..255, over the hidden voxels of the training clips.

    This is the error of the authors (visible voxels do not count). ``of`` judges the model, or a fill that learns
    nothing: "temporal", "harmonic" or "tv" (`ebmsuite_video.fills`, whose weight is chosen on visible voxels). The data
    must know the hidden voxels (``masked``). ``n`` is the largest number of clips.
    """

    of: Literal["model", "temporal", "harmonic", "tv"] = "model"

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Score:
        dataset = split_of(data, "train")
        batch = first(dataset, n)
        if batch.truth is None or batch.known is None:
            raise UserError("video/recovery: these data have no hidden voxels that are known to the metric; use masked")
        weight: float | None = None
        if self.of == "model":
            x = model.trainer.recover(batch.to(rng.device), rng).cpu()
        else:
            x, weight = filled(self.of, batch.x, batch.known)
        error = GREY * (x.double() - batch.truth.double()).abs()
        hidden = ~batch.known
        facts = facts_of(model, self.of, len(batch), dataset) | {
            "metric": f"recovery[{self.of}]",
            "clip": list(dataset.event.fixed),
            "digest": dataset.digest(),
            "hidden": round(float(hidden.double().mean()), 4),
            "masks": repr(getattr(dataset, "masks", "")),
            "scale": "0..255",
        }
        if weight is not None:
            facts["weight_of_time"] = weight
        return Score(float(error[hidden].mean()), protocol=facts)
