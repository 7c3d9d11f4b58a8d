"""What the tasks on pictures share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from ebmsuite.errors import DataError, RecipeError, UserError
from ebmsuite.files import printable
from ebmsuite.sampling import Noise, Phase
from ebmsuite_image.codec import Pixels, Scale
from ebmsuite_image.folders import told

if TYPE_CHECKING:
    from ebmsuite.model import Model

__all__ = ["Facts", "Given", "at_least", "check_event", "codec_of", "finite", "pictures", "png", "short_run", "twin"]

Facts: TypeAlias = dict[str, float | int | str]
"""What a task did, by name; the command line prints it."""


def codec_of(model: Model) -> Pixels:
    """The model's codec, or `UserError` if it was learned from data without one, or from data of another kind."""
    if model.codec is None:
        raise UserError("the model has no codec: its data set does not say how to read and write pictures")
    if not isinstance(model.codec, Pixels):
        raise UserError(f'the model is not one of pictures: its data have the codec "{model.codec.name}"')
    return model.codec


@dataclass(frozen=True)
class Given:
    """What a task works on: pictures ``x`` [n, *event] on the model's device, their ``names`` [n], and ``facts``.

    The facts are how many pictures are used, of how many there are, and what was left out.
    """

    x: Tensor
    names: tuple[str, ...]
    facts: Facts


def pictures(model: Model, inputs: Path | None, task: str, n: int | None = None, scale: Scale | None = None) -> Given:
    """The first ``n`` pictures (None: all) of a file or folder. ``scale`` is that of an array of floats.

    Raises `UserError` when no input is given, or it is not of the model's size.
    """
    if inputs is None:
        raise UserError(f"{task} works on pictures: give it a picture or a folder of pictures as input")
    found = codec_of(model).inputs(inputs, scale)
    if tuple(found.x.shape[1:]) != model.event.fixed:
        raise DataError(
            f"{printable(inputs)}: pictures of shape {tuple(found.x.shape[1:])}, the model's are {model.event.fixed}"
        )
    x = found.x[:n].to(model.device)
    facts: Facts = {"pictures": len(x), "of": len(found.x)}
    return Given(x, found.names[:n], facts | ({"skipped": told(found.skipped)} if found.skipped else {}))


def check_event(model: Model, task: str) -> None:
    """`UserError` if the model's events are no pictures; asked before the work is done."""
    shape = model.event.shape
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise UserError(f"{task} needs a model of pictures [1 or 3, height, width]; the events of this one are {shape}")


def at_least(least: int, task: str, **settings: int | None) -> None:
    """`RecipeError` that names the first setting that is below ``least``; None is not."""
    for name, value in settings.items():
        if value is not None and value < least:
            raise RecipeError(f"{task}: {name} is {value}; it must be at least {least}")


def png(out: Path, task: str) -> Path:
    """``out``, if it can be the one PNG that a task writes; asked before the work is done."""
    if out.suffix.lower() != ".png" or out.is_dir():
        raise UserError(f"{printable(out)}: {task} writes one picture; name a file that ends in .png")
    return out


def short_run(model: Model, task: str) -> tuple[Phase, Noise]:
    """The phase "negative" and its chains, which must start from noise: then samples are a function of it."""
    phase = model.phase("negative")
    if not isinstance(phase.chains, Noise):
        kind = type(phase.chains).__name__
        raise UserError(
            f"{task} needs short-run chains, whose start is the code of a picture: this model's "
            f'phase "negative" has chains of kind {kind}, not Noise'
        )
    return phase, phase.chains


def twin(rng: torch.Generator) -> torch.Generator:
    """A generator that will give what ``rng`` would give now, and leaves ``rng`` alone."""
    other = torch.Generator(rng.device)
    other.set_state(rng.get_state())
    return other


def finite(x: Tensor, task: str) -> Tensor:
    """x, or `UserError` if chains ran away."""
    if not torch.isfinite(x).all():
        raise UserError(f"{task}: the chains end at values that are not finite; are their steps too long?")
    return x
