"""Interpolation between the starting points of short-run chains, or between latent vectors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ebmsuite.errors import UserError
from ebmsuite.model import Facts, Model
from ebmsuite.pictures import tasks
from ebmsuite_image.codec import Scale
from ebmsuite_image.tasks.inputs import ReadsPictures

__all__ = ["Interpolate"]


@dataclass(frozen=True)
class Interpolate(ReadsPictures, tasks.Interpolate):
    """Draws one row per pair of samples, or of pictures of the input: the task ``interpolate`` of the suite.

    ``scale`` is the scale of an array of floats in the input.
    """

    scale: Scale | None = None

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        if inputs is None and self.scale is not None:
            raise UserError("interpolate: scale is that of the input, and there is none")
        return super().__call__(model, inputs, out, rng)
