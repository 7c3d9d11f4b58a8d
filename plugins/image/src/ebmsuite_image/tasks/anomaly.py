"""Scores of a user's pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ebmsuite.errors import UserError
from ebmsuite.files import printable, write_csv
from ebmsuite.space import Batch
from ebmsuite_image.anomaly import Decision, Levels, decide, usual
from ebmsuite_image.codec import Scale
from ebmsuite_image.tasks.parts import Facts, at_least, check_event, pictures

if TYPE_CHECKING:
    import torch

    from ebmsuite.model import Model

__all__ = ["Anomaly"]


@dataclass(frozen=True)
class Anomaly:
    """How unlike the training data every picture of the input is: a .csv with a row per picture, in their order.

    Its columns are ``file`` (the name inside the folder), ``score`` (higher is more unlike) and its terms, those that
    there are of ``reconstruction`` |g(z) - x|^2, ``smoothed``, ``energy`` and ``ratio``. The settings are those of
    `ebmsuite_image.anomaly.decide`; ``decision`` None is "ratio" for an energy that is given the noise level, else
    "posterior" for a model with a generator, else "energy". ``scale`` is that of an array of floats.
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
        if out.suffix.lower() != ".csv" or out.is_dir():
            raise UserError(f"{printable(out)}: anomaly writes one table; name a file that ends in .csv")
        check_event(model, "anomaly")
        given = pictures(model, inputs, "anomaly", scale=self.scale)
        decision = self.decision or usual(model)
        found = decide(model, Batch(given.x), rng, decision, self.weight, self.descent, self.noise, self.levels)
        terms = {name: term.tolist() for name, term in found.items()}
        columns = ([f"{v:.6g}" for v in column] for column in terms.values())
        write_csv(out, ["file", *terms], zip(given.names, *columns, strict=True))
        scores = terms["score"]
        highest = max(range(len(scores)), key=scores.__getitem__)
        return given.facts | {
            "decision": decision,
            "mean_score": sum(scores) / len(scores),
            "highest_score": scores[highest],
            "highest": given.names[highest],
        }
