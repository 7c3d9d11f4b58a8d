"""The codec ``video/frames``: converts films to events [channels, frames, height, width], and back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ebmsuite.errors import DataError, RecipeError
from ebmsuite.files import printable, replacing
from ebmsuite.pictures.events import write_events
from ebmsuite.pictures.picture_files import FILMS, write_png
from ebmsuite.pictures.raster import Filter, fit, from_uint8, recolour, to_uint8
from ebmsuite.pictures.sheets import sheet
from ebmsuite.space import Batch
from ebmsuite_video.media import WRITTEN, FilmFile, read_film, write_video

__all__ = ["SHOWN", "Frames", "sized"]

SHOWN = 6
"""Number of frames of a clip on a contact sheet."""


@dataclass(frozen=True)
class Frames:
    """Clips as events [C, T, H, W]: brightness in [-1, 1] minus ``mean``, the mean brightness of the training clips.

    ``size`` is (height, width), ``length`` is T, ``channels`` is 1 (grey) or 3 (RGB), ``fps`` is the number of frames
    per second of films that are written, and ``filter`` resizes films that are read.
    """

    name: ClassVar[str] = "video/frames"

    size: tuple[int, int]
    length: int
    channels: int = 3
    fps: float = 25.0
    mean: float = 0.0
    filter: Filter = "bilinear"

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise RecipeError(f"channels: {self.channels} must be 1 (grey) or 3 (RGB)")
        if min(self.size) < 1 or self.length < 1:
            raise RecipeError(f"size: {self.length} frames of {self.size} pixels; all must be at least 1")
        if not self.fps > 0:
            raise RecipeError(f"fps: {self.fps} must be above 0")

    def read(self, path: Path) -> Batch:
        """Read a film (`ebmsuite_video.media.read_film`) as successive clips x float32 [N, C, T, H, W].

        Frames after the last whole clip are left out. ``meta`` has the name of the film and the first frame of each
        clip. Errors: `DataError` when the film is shorter than a clip or cannot be read.
        """
        path = Path(path)
        pixels = self.pixels(read_film(path))
        n, t = len(pixels) // self.length, self.length
        if n == 0:
            raise DataError(f"{printable(path)}: {len(pixels)} frames are too few; the clips of this model have {t}")
        x = self.events(pixels[: n * t].view(n, t, *pixels.shape[1:]))
        meta = {"name": np.array([printable(path.name)] * n), "frame": np.arange(n) * t}
        return Batch(x, index=torch.arange(n), meta=meta)

    def pixels(self, film: FilmFile) -> Tensor:
        """The frames of a film at the size and in the colours of this codec: uint8 [T, C, H, W]."""
        return sized(film, self.size, self.channels, self.filter)

    def events(self, pixels: Tensor) -> Tensor:
        """Clips uint8 [N, T, C, H, W] as events [N, C, T, H, W]."""
        return from_uint8(pixels).transpose(1, 2).contiguous() - self.mean

    def frames(self, x: Tensor) -> Tensor:
        """Events [N, C, T, H, W] as bytes: uint8 [N, T, H, W] if C is 1, else [N, T, H, W, 3]."""
        if x.dim() != 5 or x.shape[1] not in (1, 3):
            raise DataError(f"clips are [N, 1 or 3, frames, height, width], not {list(x.shape)}")
        pixels = to_uint8(x + self.mean).cpu()
        return pixels[:, 0] if x.shape[1] == 1 else pixels.permute(0, 2, 3, 4, 1)

    def show(self, x: Tensor, batch: Batch | None = None) -> Tensor:
        """`SHOWN` frames of each clip, evenly spaced, from left to right: uint8 [N, H, W'] or [N, H, W', 3]."""
        films = self.frames(x)
        moments = torch.linspace(0, films.shape[1] - 1, min(SHOWN, films.shape[1])).round().long().tolist()
        return torch.cat([films[:, t] for t in moments], 2)

    def write(self, x: Tensor, path: Path, batch: Batch | None = None) -> None:
        """Write clips x [N, C, T, H, W], in the format given by the ending of ``path``.

        ``.mp4`` (lossy), ``.gif`` (256 colours), ``.webp``, ``.avi`` and ``.mkv`` (lossless): a film that plays all
        clips at once, at ``fps`` frames per second. ``.npz``: uint8 frames "x" [N, T, H, W, 3], or [T, H, W, 3] of one
        clip, and "fps". ``.png``: a contact sheet. No ending: a folder of frames 0000.png, 0001.png, ... of one clip,
        or of a folder per clip. A file is written completely or not at all.
        """
        path = Path(path)
        films, ending = self.frames(x.detach()), path.suffix.lower()
        if len(films) == 0:
            raise DataError(f"{path}: there is no clip to write")
        if ending == ".png" or ending in FILMS:
            write_events(self, x.detach().cpu(), path)
        elif ending in WRITTEN:
            write_video([sheet(films[:, t]) for t in range(films.shape[1])], path, self.fps)
        elif ending == ".npz":
            array = films.numpy() if len(films) > 1 else films[0].numpy()
            with replacing(path) as aside, aside.open("wb") as file:
                np.savez_compressed(file, x=array, fps=np.float64(self.fps))
        elif ending == "" or path.is_dir():
            if path.is_dir() and any(path.iterdir()):
                raise DataError(f"{path}: this folder holds files already; name a new or empty one")
            for i, film in enumerate(films.numpy()):
                folder = path if len(films) == 1 else path / f"{i:04}"
                folder.mkdir(parents=True, exist_ok=True)
                for t, picture in enumerate(film):
                    write_png(picture, folder / f"{t:04}.png")
        else:
            known = ", ".join((*FILMS, *WRITTEN, ".npz", ".png"))
            raise DataError(f'{path}: clips cannot be written as "{path.suffix}"; use {known} or no ending (a folder)')


def sized(film: FilmFile, size: tuple[int, int], channels: int, filter: Filter) -> Tensor:
    """The frames of a film, cropped around their centre and scaled to ``size``: uint8 [T, channels, H, W]."""
    frames = torch.from_numpy(film.frames).permute(0, 3, 1, 2)
    return torch.cat([fit(recolour(part, channels), size, filter=filter) for part in torch.split(frames, 64)])
