"""The input of the tasks on pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from ebmsuite.errors import DataError, UserError
from ebmsuite.files import printable
from ebmsuite.model import Facts, Model
from ebmsuite.pictures.tasks import Reads
from ebmsuite.space import Batch
from ebmsuite_image.codec import Pixels, Scale
from ebmsuite_image.folders import summary

__all__ = ["Given", "ReadsPictures", "check_event", "read_pictures"]


@dataclass(frozen=True)
class Given:
    """The input of a task: pictures ``x`` [n, *event] on the model's device, their ``names`` [n], and ``facts``.

    The facts state how many pictures are used, how many the input has, and which were resized or left out.
    """

    x: Tensor
    names: tuple[str, ...]
    facts: Facts


def read_pictures(
    model: Model, inputs: Path | None, task: str, n: int | None = None, scale: Scale | None = None
) -> Given:
    """Read the first ``n`` pictures (None: all) of a file or folder. ``scale`` is the scale of an array of floats.

    Errors: `UserError` when there is no input, `DataError` when the pictures do not have the shape of the model's.
    """
    if inputs is None:
        raise UserError(f"{task} works on pictures: give it a picture or a folder of pictures as input")
    found = model.codec_as(Pixels).inputs(inputs, scale)
    if tuple(found.x.shape[1:]) != model.event.fixed:
        raise DataError(
            f"{printable(inputs)}: pictures of shape {tuple(found.x.shape[1:])}, the model's are {model.event.fixed}"
        )
    x = found.x[:n].to(model.device)
    facts: Facts = {"pictures": len(x), "of": len(found.x)}
    if resized := replace(found, sizes=found.sizes[:n]).resized:
        facts["resized"] = resized
    if found.skipped:
        facts["skipped"] = summary(found.skipped)
    return Given(x, found.names[:n], facts)


def check_event(model: Model, task: str) -> None:
    """Raise `UserError` if the model's events are not pictures. Call this before the work starts."""
    shape = model.event.shape
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise UserError(f"{task} needs a model of pictures [1 or 3, height, width]; the events of this one are {shape}")


class ReadsPictures(Reads):
    """Reads the pictures of core's tasks, with the setting ``scale`` for arrays of floats."""

    what: ClassVar[str] = "pictures"
    scale: Scale | None

    def read(self, model: Model, inputs: Path | None, task: str, n: int | None = None) -> tuple[Batch, Facts]:
        given = read_pictures(model, inputs, task, n, self.scale)
        return Batch(given.x), given.facts
