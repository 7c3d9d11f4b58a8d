"""The task ``text/interpolate``: texts between two latent vectors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from ebmsuite.errors import UserError
from ebmsuite.files import output
from ebmsuite.model import Facts, Model
from ebmsuite.pictures.tasks import Interpolate
from ebmsuite.space import Batch
from ebmsuite_text.codec import TextCodec

__all__ = ["InterpolateTexts"]


@dataclass(frozen=True)
class InterpolateTexts(Interpolate):
    """Write ``points`` texts per pair of samples, or of texts of the input: the task ``interpolate`` of the suite.

    The texts are the likeliest of evenly spaced latent vectors, including those of the pair. ``out`` is a .txt, .jsonl
    or .csv file; the last two also have the number of the pair and of the point, from 1.
    """

    what: ClassVar[str] = "texts"

    pairs: int = 4
    points: int = 6

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        path, codec = output(out, (".txt", ".jsonl", ".csv"), "interpolate"), model.codec_as(TextCodec)
        if not model.has_latent:
            raise UserError(f"interpolate: {model.recipe.recipe} has no latent vector")
        x, facts = self.between_codes(model, inputs, rng)
        pair, point = np.indices(x.shape[:2]).reshape(2, -1) + 1
        x = x.flatten(0, 1)
        codec.write(x, path, Batch(x, meta={"pair": pair, "point": point}))
        return facts
