"""What the tasks on pictures share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from ebmsuite.dataset import Codec
from ebmsuite.errors import DataError, UserError
from ebmsuite.sampling import Noise, Phase

if TYPE_CHECKING:
    from ebmsuite.model import Model

__all__ = ["Facts", "codec_of", "finite", "pictures", "png", "short_run", "twin"]

Facts: TypeAlias = dict[str, float | int | str]
"""What a task tells of what it did; the command line prints it."""


def codec_of(model: Model) -> Codec:
    """The model's codec, or `UserError` if it was learned from data without one."""
    if model.codec is None:
        raise UserError("the model has no codec: its data set does not say how to read and write pictures")
    return model.codec


def pictures(model: Model, inputs: Path | None, n: int | None, task: str) -> tuple[Tensor, int]:
    """The first ``n`` pictures (None: all) of a file or folder, [n, *event] on the model's device, and how many it has.

    Raises `UserError` when no input is given or it is not of the model's size.
    """
    if inputs is None:
        raise UserError(f"{task} works on pictures: give it a picture or a folder of pictures as input")
    x = codec_of(model).read(inputs).x
    if len(x) == 0:
        raise DataError(f"{inputs}: no pictures in it")
    if tuple(x.shape[1:]) != model.event.fixed:
        raise DataError(f"{inputs}: pictures of shape {tuple(x.shape[1:])}, the model's are {model.event.fixed}")
    return x[:n].to(model.device), len(x)


def png(out: Path, task: str) -> Path:
    """``out``, if it can be the one PNG that a task writes; asked before the work is done."""
    if out.suffix.lower() != ".png" or out.is_dir():
        raise UserError(f"{out}: {task} writes one picture; name a file that ends in .png")
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
