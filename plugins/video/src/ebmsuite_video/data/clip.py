"""The data sets ``video/clip`` and ``video/clips``: clips cut from films."""

from __future__ import annotations

import importlib.resources
import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ebmsuite.dataset import InMemory
from ebmsuite.errors import DataError, RecipeError
from ebmsuite.files import find, printable
from ebmsuite.pictures.raster import Filter
from ebmsuite_video.codec import Frames, sized
from ebmsuite_video.media import READ, FilmFile, read_film

__all__ = ["SHARED", "Clip", "Clips", "Cut", "Shared", "hidden_part", "mean_brightness"]

log = logging.getLogger("ebmsuite")

SHARED: Mapping[str, str] = {
    "boats": "inpaint_boats", "boiling-water": "boiling_water", "chatelet": "inpaint_chatelet", "fire": "fire_pot",
    "flag": "flag", "flame": "flame", "flashing-light": "flashing_light", "fountain": "fountain", "sea": "seawave",
    "straw": "straw",
}  # fmt: skip
"""Clips of the folder ``video`` below EBMSUITE_DATA by name."""

EMBEDDED = "pedestrians"
"""The clip in this package."""

Split = Literal["train", "valid", "test"]
RATE = 25.0
"""Frames per second of films that do not say it, such as folders of frames."""

WHITE = 0.1
"""A pixel is hidden if at least this part of it is white in the mask."""


class Cut(InMemory):
    """Clips [N, C, T, H, W] that are cut from films."""

    def __init__(
        self,
        pixels: Sequence[Tensor],
        codec: Frames,
        names: Sequence[str],
        starts: Sequence[int],
        note: str,
        hidden: Tensor | None = None,
        skipped: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        shape = (0, codec.length, codec.channels, *codec.size)
        stacked = torch.stack(list(pixels)) if pixels else torch.zeros(shape, dtype=torch.uint8)
        x = codec.events(stacked)
        known = None if hidden is None else ~hidden[None].expand(len(x), *hidden.shape).expand_as(x)
        super().__init__(
            x,
            range=(-1 - codec.mean, 1 - codec.mean),
            codec=codec,
            known=known,
            meta={"name": np.array(names, np.str_), "frame": np.array(starts, np.int64)},
        )
        self.note, self.skipped = note, skipped or {}


class Clip(Cut):
    """One clip of a film: ``frames`` frames, one in ``every``, from frame ``start``.

    ``path`` is a file or a folder of frames (`ebmsuite_video.media.read_film`), the embedded clip "pedestrians", or a
    name in `SHARED`, which EBMSUITE_DATA must have. Frames are cropped around their centre to the aspect ratio of
    ``size`` (height, width) and resized by ``filter``. ``channels`` is 1 (grey) or 3 (RGB). ``fps`` is the rate for
    films that do not state one. The clip is the training split; the next ``frames`` frames, if the film is long enough,
    are the splits valid and test.

    ``mask`` is a film or a picture that is white where the clip is hidden, such as a mask that follows an object. The
    hidden part is never seen (for the trainer ``incomplete``), and there are no other splits.
    """

    def __init__(
        self,
        path: str = EMBEDDED,
        frames: int = 40,
        size: tuple[int, int] = (64, 64),
        start: int = 0,
        every: int = 1,
        channels: int = 3,
        filter: Filter = "bilinear",
        fps: float | None = None,
        mask: str | None = None,
        split: Split = "train",
    ) -> None:
        _check(frames, start, every)
        with ExitStack() as stack:
            file = _located(path, stack)
            name = path if file.name.startswith(path) or path in (EMBEDDED, *SHARED) else printable(file.name)
            film = read_film(file, start, 2 * frames, every)
        if len(film.frames) < frames:
            raise DataError(
                f"{name}: there are only {len(film.frames)} frames from frame {start}, one in {every}; the clip needs "
                f"{frames}: lower frames, start or every"
            )
        pixels = sized(film, size, channels, filter)
        codec = Frames(
            size, frames, channels, film.fps or fps or RATE / every, mean_brightness(pixels[:frames]), filter
        )
        second = mask is None and split != "train"
        begin = frames if second else 0
        there = len(pixels) >= begin + frames and (split == "train" or mask is None)
        hidden = None if mask is None else hidden_part(find(mask), codec, start, every)
        super().__init__(
            [pixels[begin : begin + frames]] if there else [],
            codec,
            [name] if there else [],
            [start + begin * every] if there else [],
            _note(name, film, pixels, start + begin * every, frames, codec.fps),
            hidden,
        )
        if film.note and split == "train":
            log.warning("%s: %s", name, film.note)


class Shared(Clip):
    """The clip of a dynamic texture in the folder ``video`` below EBMSUITE_DATA: see `SHARED` and `Clip`."""

    def __init__(
        self,
        clip: Literal[
            "boats", "boiling-water", "chatelet", "fire", "flag", "flame", "flashing-light", "fountain", "sea", "straw"
        ] = "fire",
        frames: int = 40,
        size: tuple[int, int] = (64, 64),
        start: int = 0,
        split: Split = "train",
    ) -> None:
        super().__init__(clip, frames, size, start, split=split)


class Clips(Cut):
    """Clips of all films in the folder ``path``: per film, ``frames`` frames, one in ``every``, from frame ``start``.

    The settings are those of `Clip`. All films are written at the rate of the first. The splits valid and test have
    the next frames of those films that are long enough. A film that cannot be read, or is too short, is an error; with
    ``invalid`` "skip" it is left out and reported.
    """

    def __init__(
        self,
        path: str,
        frames: int = 40,
        size: tuple[int, int] = (64, 64),
        start: int = 0,
        every: int = 1,
        channels: int = 3,
        filter: Filter = "bilinear",
        fps: float | None = None,
        invalid: Literal["error", "skip"] = "error",
        split: Split = "train",
    ) -> None:
        _check(frames, start, every)
        folder = find(path)
        if not folder.is_dir():
            raise DataError(f"{printable(folder)}: it is a file; use video/clip for one film")
        entries = sorted(folder.iterdir(), key=lambda f: f.name)
        files = [f for f in entries if not f.name.startswith(".") and (f.is_dir() or f.suffix.lower() in READ)]
        skipped: dict[str, list[str]] = {}
        for other in entries:
            if other not in files:
                skipped.setdefault("not a film", []).append(printable(other.name))
        if not files:
            raise DataError(f"{printable(folder)}: there is no film in it, neither {', '.join(READ)} nor a folder")
        films: list[tuple[str, FilmFile, Tensor]] = []
        for file in files:
            try:
                film = read_film(file, start, 2 * frames, every)
                if len(film.frames) < frames:
                    raise DataError(f"{printable(file)}: {len(film.frames)} frames, fewer than {frames}")
            except DataError as error:
                if invalid == "error":
                    raise DataError(f'{error}; or leave such films out by "invalid: skip"') from error
                skipped.setdefault("damaged or too short film", []).append(str(error))
                continue
            films.append((printable(file.name), film, sized(film, size, channels, filter)))
        if not films:
            raise DataError(f"{printable(folder)}: none of the {len(files)} films can be used; {_first(skipped)}")
        rate = films[0][1].fps or fps or RATE / every
        mean = mean_brightness(torch.cat([pixels[:frames] for _, _, pixels in films]))
        codec = Frames(size, frames, channels, rate, mean, filter)
        begin = 0 if split == "train" else frames
        chosen = [(name, pixels) for name, _, pixels in films if len(pixels) >= begin + frames]
        notes = [f"{name}: {film.note}" for name, film, _ in films if film.note]
        rates = sorted({round(film.fps, 3) for _, film, _ in films if film.fps})
        notes += [f"rates of {', '.join(f'{r:g}' for r in rates)} frames per second"] if len(rates) > 1 else []
        super().__init__(
            [pixels[begin : begin + frames] for _, pixels in chosen],
            codec,
            [name for name, _ in chosen],
            [start + begin * every] * len(chosen),
            "; ".join([f"{len(chosen)} clips of {frames} frames", *notes]),
            skipped=skipped,
        )


def hidden_part(path: Path, codec: Frames, start: int = 0, every: int = 1) -> Tensor:
    """The part of a clip that the mask ``path`` hides: bool [1, T, H, W], T = 1 for a picture.

    A pixel is hidden if at least `WHITE` of it is white. `DataError` if the mask is shorter than a clip.
    """
    if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".bmp") and path.is_file():
        from ebmsuite.pictures.raster import decode

        film = FilmFile(decode(path, 3).permute(1, 2, 0).numpy()[None], None)
    else:
        film = read_film(path, start, codec.length, every)
        if len(film.frames) not in (1, codec.length):
            raise DataError(
                f"{printable(path)}: the mask has {len(film.frames)} frames from frame {start}, and a clip has "
                f"{codec.length}"
            )
    hidden = sized(film, codec.size, 1, "bilinear")[:, 0] >= WHITE * 255
    if not hidden.any():
        raise DataError(f"{printable(path)}: the mask hides nothing; hidden parts must be white")
    return hidden[None].expand(1, codec.length, *codec.size)


def _located(path: str, stack: ExitStack) -> Path:
    if path == EMBEDDED:
        own = importlib.resources.files(__package__) / "pedestrians.mp4"
        return stack.enter_context(importlib.resources.as_file(own))
    return find(f"video/{SHARED[path]}.mp4" if path in SHARED else Path(path).expanduser())


def mean_brightness(pixels: Tensor) -> float:
    """The mean brightness on [-1, 1], rounded so that it is the same on all machines."""
    return round(float(pixels.double().mean()) / 127.5 - 1, 6)


def _note(name: str, film: FilmFile, pixels: Tensor, first: int, frames: int, fps: float) -> str:
    height, width = film.frames.shape[1:3]
    size = tuple(pixels.shape[2:])
    scale = min(height / size[0], width / size[1])
    cut = (round(size[0] * scale), round(size[1] * scale))
    crop = "" if cut == (height, width) else f", its centre {cut[0]}x{cut[1]}"
    resized = "" if cut == size else f", scaled to {size[0]}x{size[1]}"
    what = f"{frames} frames of {name} from frame {first}, {fps:g} per second, {height}x{width}{crop}{resized}"
    return what + (f"; {film.note}" if film.note else "")


def _first(skipped: Mapping[str, Sequence[str]]) -> str:
    return next((names[0] for reason, names in skipped.items() if reason.startswith("damaged")), "")


def _check(frames: int, start: int, every: int) -> None:
    if frames < 1 or start < 0 or every < 1:
        raise RecipeError(
            f"video/clip: frames and every must be at least 1 and start at least 0, got {frames}, {every} and {start}"
        )
