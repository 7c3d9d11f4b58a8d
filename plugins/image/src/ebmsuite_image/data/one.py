"""The data set ``image/one``: a single picture."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

from ebmsuite.errors import RecipeError
from ebmsuite.pictures.raster import decode, fit
from ebmsuite_image.data.pictures import Pictures, check_split

__all__ = ["One"]


class One(Pictures):
    """A single complete picture at its own aspect ratio, reduced to at most ``size`` pixels along its longer side.

    The default picture is an alpine landscape included in the package; ``path`` selects another. Every split is this
    picture: nothing is held out, and metrics measure the similarity to it. ``channels`` is 1 (grey) or 3 (RGB).
    """

    def __init__(self, path: str | None = None, split: str = "train", size: int = 250, channels: int = 3) -> None:
        check_split(split)
        if size < 1:
            raise RecipeError(f"size: {size} must be at least one pixel")
        if path is None:
            with importlib.resources.as_file(importlib.resources.files(__package__) / "landscape.jpg") as file:
                picture = decode(file, channels)
        else:
            picture = decode(Path(path).expanduser(), channels)
        height, width = picture.shape[1:]
        scale = min(1.0, size / max(height, width))
        small = fit(picture[None], (max(1, round(height * scale)), max(1, round(width * scale))))
        super().__init__(small, note="one picture; every split is the same")
