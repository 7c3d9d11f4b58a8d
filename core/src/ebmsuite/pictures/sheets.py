"""Contact sheets: pictures of events arranged in a grid, with captions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ebmsuite.errors import DataError
from ebmsuite.pictures.picture_files import pillow

__all__ = ["Picture", "captioned", "sheet", "titled"]

Picture: TypeAlias = npt.NDArray[np.uint8]
"""A picture [H, W] or [H, W, 3]."""

LINE = 14
"""Height of a line of text, in pixels."""
MOST = 150_000_000
"""Largest number of pixels of a sheet. Pillow refuses to open pictures of more than 179 million pixels."""


def sheet(cells: Tensor, columns: int | None = None, pad: int = 2, captions: Sequence[str] | None = None) -> Picture:
    """Arrange pictures, uint8 [N, H, W] or [N, H, W, 3], in a grid: [H', W'] or [H', W', 3].

    The grid is filled row by row with ``columns`` pictures per row (the square root of N, rounded up, when None).
    ``pad`` white pixels surround every picture; a single picture has no frame. ``captions`` are the lines of text below
    the pictures, one per picture. `DataError` if there is no picture or the sheet would be too large.
    """
    if len(cells) == 0:
        raise DataError("a sheet has at least one picture")
    if captions is not None:
        cells = captioned(cells, captions)
    n, height, width = cells.shape[:3]
    if n == 1:
        return cells[0].numpy()
    columns = min(n, columns or math.ceil(math.sqrt(n)))
    rows = math.ceil(n / columns)
    size = (rows * (height + pad) + pad, columns * (width + pad) + pad)
    if size[0] * size[1] > MOST:
        raise DataError(f"a sheet of {n:,} pictures of {height}x{width} is too large; draw fewer")
    made = cells.new_full((*size, *cells.shape[3:]), 255)
    for i, cell in enumerate(cells):
        top, left = pad + (i // columns) * (height + pad), pad + (i % columns) * (width + pad)
        made[top : top + height, left : left + width] = cell
    return made.numpy()


def captioned(cells: Tensor, captions: Sequence[str], above: bool = False) -> Tensor:
    """Add a line of text below each picture, or above it: uint8 [N, H + `LINE`, W', ...].

    W' is W, or 4 more than the width of the widest caption if that is larger; pictures and captions are centred. The
    font is Pillow's default, which has no letters outside ASCII and shows boxes in their place.
    """
    if len(captions) != len(cells):
        raise ValueError(f"{len(captions)} captions for {len(cells)} pictures")
    lines = [_line(caption) for caption in captions]
    n, height, width, *colours = cells.shape
    whole = max(width, *(line.shape[1] + 4 for line in lines))
    made = cells.new_full((n, height + LINE, whole, *colours), 255)
    at, under = (LINE, 0) if above else (0, height)
    left = (whole - width) // 2
    made[:, at : at + height, left : left + width] = cells
    for picture, line in zip(made, lines, strict=True):
        left = (whole - line.shape[1]) // 2
        picture[under : under + LINE, left : left + line.shape[1]] = line[..., None] if colours else line
    return made


def titled(picture: Picture, title: str) -> Picture:
    """Add a line of text above a picture."""
    return captioned(torch.from_numpy(picture)[None], [title], above=True)[0].numpy()


def _line(text: str) -> Tensor:
    """A line of black text on white in Pillow's default font: uint8 [`LINE`, W]."""
    image = pillow()
    from PIL import ImageDraw, ImageFont

    font = ImageFont.load_default()
    width = max(1, math.ceil(font.getlength(text)))
    line = image.new("L", (width, LINE), 255)
    ImageDraw.Draw(line).text((0, 0), text, fill=0, font=font)
    return torch.from_numpy(np.array(line))
