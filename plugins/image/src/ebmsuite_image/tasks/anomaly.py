"""Anomaly scores of a user's pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ebmsuite.files import output, write_csv
from ebmsuite.model import Facts, Model
from ebmsuite.space import Batch
from ebmsuite.tasks.anomaly_scores import Decision, Levels, decide, usual
from ebmsuite.tasks.validation import at_least
from ebmsuite_image.codec import Scale
from ebmsuite_image.smoothing import smooth
from ebmsuite_image.tasks.inputs import check_event, read_pictures

__all__ = ["Anomaly"]


@dataclass(frozen=True)
class Anomaly:
    """Writes a .csv that scores how unlike the training data each picture of the input is, one row per picture.

    The columns are ``file`` (the name inside the folder), ``score`` (higher means more unlike) and the terms that the
    model has: ``reconstruction`` |g(z) - x|^2, ``smoothed`` (over 3x3 pixels), ``energy`` and ``ratio``. The settings
    are those of `ebmsuite.tasks.anomaly_scores.decide`. ``decision`` None means "ratio" for a noise-conditional energy,
    else "posterior" for a model of latent vectors, else "energy". ``scale`` is the scale of an array of floats.
    """

    decision: Decision | None = None
    weight: float | None = None
    descent: int = 0
    noise: bool = True
    levels: Levels = None
    scale: Scale | None = None

    def __post_init__(self) -> None:
        at_least(0, "anomaly", descent=self.descent)

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        path = output(out, ".csv", "anomaly")
        check_event(model, "anomaly")
        given = read_pictures(model, inputs, "anomaly", scale=self.scale)
        decision = self.decision or usual(model)
        found = decide(model, Batch(given.x), rng, decision, self.weight, self.descent, self.noise, self.levels, smooth)
        terms = {name: term.tolist() for name, term in found.items()}
        columns = ([f"{v:.6g}" for v in column] for column in terms.values())
        write_csv(path, ["file", *terms], zip(given.names, *columns, strict=True))
        scores = terms["score"]
        highest = max(range(len(scores)), key=scores.__getitem__)
        return given.facts | {
            "decision": decision,
            "mean_score": sum(scores) / len(scores),
            "highest_score": scores[highest],
            "highest": given.names[highest],
        }
