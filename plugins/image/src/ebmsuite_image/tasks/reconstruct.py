"""Reconstruction of given pictures with short-run chains or with a generator."""

from __future__ import annotations

from dataclasses import dataclass

from ebmsuite.pictures import tasks
from ebmsuite_image.codec import Scale
from ebmsuite_image.tasks.inputs import ReadsPictures

__all__ = ["Reconstruct"]


@dataclass(frozen=True)
class Reconstruct(ReadsPictures, tasks.Reconstruct):
    """Reconstructs pictures of the input: the task ``reconstruct`` of the suite.

    ``scale`` is the scale of an array of floats in the input.
    """

    scale: Scale | None = None
