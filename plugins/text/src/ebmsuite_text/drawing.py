"""Pictures of texts."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

__all__ = ["COLUMNS", "LINES", "pictures"]

COLUMNS, LINES = 44, 3
"""Characters per line and lines of a picture. A longer text is cut and ends in "..."."""

_WIDTH, _HEIGHT = 286, 14


def pictures(texts: Sequence[str]) -> Tensor:
    """Draw texts in black on white: uint8 [N, H, W].

    The font is Pillow's default, which has no letters outside of ASCII; "?" stands for each of them.
    """
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default()
    made = np.full((len(texts), LINES * _HEIGHT, _WIDTH), 255, np.uint8)
    for picture, text in zip(made, texts, strict=True):
        plain = text.replace("…", "...").encode("ascii", "replace").decode()
        lines = textwrap.wrap(plain, COLUMNS, max_lines=LINES, placeholder=" ...")
        image = Image.fromarray(picture)
        ImageDraw.Draw(image).multiline_text((3, 0), "\n".join(lines), fill=0, font=font, spacing=2)
        picture[:] = np.asarray(image)
    return torch.from_numpy(made)
