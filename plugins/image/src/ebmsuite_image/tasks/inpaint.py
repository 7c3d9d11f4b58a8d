"""Inpainting: filling holes in pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ebmsuite.errors import DataError, UserError
from ebmsuite.files import output
from ebmsuite.model import Facts, Model
from ebmsuite.pictures.events import draw
from ebmsuite.pictures.picture_files import write_png
from ebmsuite.pictures.raster import decode
from ebmsuite.pictures.sheets import sheet
from ebmsuite.tasks.fill import fill
from ebmsuite.tasks.validation import at_least, finite
from ebmsuite_image.codec import Scale
from ebmsuite_image.tasks.inputs import check_event, read_pictures

__all__ = ["Inpaint"]


@dataclass(frozen=True)
class Inpaint:
    """Samples the pixels in a hole given all other pixels, for the first ``n`` pictures of the input.

    The hole is the white part of the picture ``mask``, which must have the model's size, or ``box``: (top, left,
    height, width) in pixels. The default is a centred box of half the height and half the width. The pixels in the hole
    start from the noise of the chains of the phase "negative" and follow the sampler of that phase for ``steps`` steps
    (by default as many as the phase). The other pixels do not change. ``scale`` is the scale of an array of floats.

    The PNG has three rows: the pictures with the hole in grey, the filled pictures, the original pictures.
    """

    mask: str | None = None
    box: tuple[int, int, int, int] | None = None
    steps: int | None = None
    n: int = 16
    scale: Scale | None = None

    def __post_init__(self) -> None:
        at_least(1, "inpaint", n=self.n)
        at_least(0, "inpaint", steps=self.steps)

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        path, phase = output(out, ".png", "inpaint"), model.phase("negative")
        check_event(model, "inpaint")
        given = read_pictures(model, inputs, "inpaint", self.n, self.scale)
        x = given.x
        hole = self.hole(x.shape[-2], x.shape[-1]).to(x.device).expand_as(x)
        made = finite(fill(phase, x, ~hole, rng, self.steps), "inpaint")
        low, high = model.event.range or (-1.0, 1.0)
        grey = torch.where(hole, (low + high) / 2, x)
        write_png(sheet(draw(model.codec, torch.cat([grey, made, x])), len(x)), path)
        return given.facts | {
            "mse_in_hole": (made - x)[hole].square().mean().item(),
            "hole": hole.float().mean().item(),
            "steps": phase.steps if self.steps is None else self.steps,
        }

    def hole(self, height: int, width: int) -> Tensor:
        """The hole as booleans [height, width]. Errors: `UserError` if it is empty or not inside the picture."""
        if self.mask is not None and self.box is not None:
            raise UserError("inpaint: mask and box both say where the hole is; give one of them")
        hole = torch.zeros(height, width, dtype=torch.bool)
        if self.mask is not None:
            hole = _read_mask(Path(self.mask), height, width)
        else:
            top, left, h, w = self.box or (height // 4, width // 4, height // 2, width // 2)
            if min(top, left) < 0 or min(h, w) < 1 or top + h > height or left + w > width:
                raise UserError(f"inpaint: the box {top, left, h, w} is not inside a picture of {height}x{width}")
            hole[top : top + h, left : left + w] = True
        if not hole.any():
            raise UserError(f"inpaint: {self.mask or 'the box'} has no hole (white pixels)")
        return hole


def _read_mask(path: Path, height: int, width: int) -> Tensor:
    pixels = decode(path, channels=1)[0]
    if pixels.shape != (height, width):
        h, w = pixels.shape
        raise DataError(f"{path}: the mask is {h}x{w}, the model's pictures are {height}x{width}")
    return pixels >= 128
