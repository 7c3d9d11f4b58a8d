"""Files of pictures and films: PNG, GIF and WebP with Pillow, MP4 with PyAV. Both are imported when they are used."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ebmsuite.errors import DataError, MissingData
from ebmsuite.files import replacing

__all__ = ["FILMS", "pillow", "write_film", "write_png"]

FILMS = (".gif", ".webp", ".mp4")
"""The endings of films."""


def pillow() -> Any:
    """The module PIL.Image. `MissingData`, which gives the command to install it, if Pillow is not installed."""
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingData('pictures need the package Pillow: pip install "ebmsuite[pictures]"') from error
    return Image


def write_png(picture: npt.NDArray[np.uint8], path: Path) -> None:
    """Write a picture [H, W] or [H, W, 3] as a PNG file, completely or not at all."""
    image = pillow().fromarray(picture)
    with replacing(path) as aside:
        image.save(aside, format="PNG")


def write_film(pictures: Sequence[npt.NDArray[np.uint8]], path: Path, frame: float = 80, rest: float = 1600) -> None:
    """Write a film of pictures of one size, completely or not at all: ``frame`` ms per picture, ``rest`` for the last.

    GIF counts time in units of 10 ms and WebP in units of 1 ms: durations are rounded so that their sums are right.

    The ending of ``path`` selects the format. ``.gif`` repeats for ever and has at most 256 colours per picture;
    ``.webp`` repeats for ever and is lossless; ``.mp4`` (H.264, lossy) needs the package av, and each side grows to an
    even number of pixels. Another ending is a `DataError`.
    """
    ending = path.suffix.lower()
    if ending not in FILMS:
        raise DataError(f'{path}: films are written as {", ".join(FILMS)}, not "{path.suffix}"')
    if ending == ".mp4":
        _write_mp4(pictures, path, frame, rest)
        return
    images = [pillow().fromarray(picture) for picture in pictures]
    more: dict[str, Any] = {"lossless": True} if ending == ".webp" else {}
    with replacing(path) as aside:
        images[0].save(
            aside,
            format=ending[1:].upper(),
            save_all=True,
            append_images=images[1:],
            duration=_durations([frame] * (len(images) - 1) + [rest], 10 if ending == ".gif" else 1),
            loop=0,
            **more,
        )


def _durations(durations: Sequence[float], unit: int) -> list[int]:
    """Durations in ms as multiples of ``unit``, at least one unit, whose sums are rounded rather than each of them."""
    ends = [0, *(unit * round(end / unit) for end in accumulate(durations))]
    return [max(unit, after - before) for before, after in pairwise(ends)]


def _write_mp4(pictures: Sequence[npt.NDArray[np.uint8]], path: Path, frame: float, rest: float) -> None:
    try:
        import av
    except ImportError as error:
        raise MissingData(
            f'{path}: .mp4 films need the package av: pip install "ebmsuite[video]"; or write a .webp or .gif'
        ) from error
    frames = [_even(picture) for picture in pictures]
    frames += frames[-1:] * (round(rest / frame) - 1)
    with replacing(path) as aside, av.open(str(aside), "w") as file:
        stream = file.add_stream("libx264", rate=(1000 / Fraction(frame)).limit_denominator(1001))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "12", "threads": "1"}
        for pixels in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        file.mux(stream.encode())


def _even(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The picture in colour [H, W, 3], with a white row or column added where a side is odd."""
    colour = np.repeat(picture[..., None], 3, 2) if picture.ndim == 2 else picture
    odd = [(0, side % 2) for side in colour.shape[:2]]
    return np.ascontiguousarray(np.pad(colour, [*odd, (0, 0)], constant_values=255))
