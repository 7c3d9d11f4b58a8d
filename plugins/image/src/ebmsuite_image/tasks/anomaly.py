"""Scores of a user's pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ebmsuite.errors import UserError
from ebmsuite.files import write_csv
from ebmsuite.space import Batch
from ebmsuite_image.anomaly import Decision, Levels, decide, usual
from ebmsuite_image.codec import Pixels
from ebmsuite_image.tasks.parts import Facts, codec_of, pictures

if TYPE_CHECKING:
    import torch

    from ebmsuite.model import Model

__all__ = ["Anomaly"]


@dataclass(frozen=True)
class Anomaly:
    """How unlike the training data every picture of the input is: a .csv with a row a picture, in their order.

    Its columns are ``file``, ``score`` (higher is more unlike) and the terms that there are of it, ``reconstruction``
    |g(z) - x|^2, ``smoothed``, ``energy`` and ``ratio``. The settings are those of `ebmsuite_image.anomaly.decide`;
    ``decision`` None is "ratio" for an energy that is told the noise, else "posterior" for a model with a generator,
    else "energy".
    """

    decision: Decision | None = None
    weight: float | None = None
    descent: int = 0
    noise: bool = True
    levels: Levels = None

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        if out.suffix.lower() != ".csv" or out.is_dir():
            raise UserError(f"{out}: anomaly writes one table; name a file that ends in .csv")
        x, found = pictures(model, inputs, None, "anomaly")
        assert inputs is not None
        codec = codec_of(model)
        names = codec.names(inputs, found) if isinstance(codec, Pixels) else [f"{i}" for i in range(found)]
        decision = self.decision or usual(model)
        found_terms = decide(model, Batch(x), rng, decision, self.weight, self.descent, self.noise, self.levels)
        terms = {name: term.tolist() for name, term in found_terms.items()}
        columns = ([f"{v:.6g}" for v in column] for column in terms.values())
        write_csv(out, ["file", *terms], zip(names, *columns, strict=True))
        scores = terms["score"]
        highest = max(range(found), key=scores.__getitem__)
        return {
            "pictures": found,
            "decision": decision,
            "mean_score": sum(scores) / found,
            "highest_score": scores[highest],
            "highest": names[highest],
        }
