"""Films as arrays: reading and writing of video files, animated pictures, arrays and folders of frames."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from ebmsuite.errors import DataError
from ebmsuite.files import printable, replacing
from ebmsuite.pictures.raster import ENDINGS, decode

__all__ = ["READ", "WRITTEN", "FilmFile", "read_film", "write_video"]

Frames: TypeAlias = npt.NDArray[np.uint8]
"""Frames [T, H, W, 3]."""

VIDEO = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg")
ANIMATED = (".gif", ".webp", ".apng")
ARRAYS = (".npz", ".npy")
READ = (*VIDEO, *ANIMATED, *ARRAYS)
"""Endings of the files that `read_film` reads; it also reads folders of frames."""

WRITTEN = (".avi", ".mkv")
"""Endings of the files that `write_video` writes."""

UNEVEN = 0.5
"""A film has a variable rate if the time between two frames differs from the usual one by more than this part."""

MOST_REPEATED = 16
"""A picture of an animation that lasts longer than this many frames makes its rate variable."""


@dataclass(frozen=True)
class FilmFile:
    """Frames uint8 [T, H, W, 3] and their number per second; None if the file does not say it."""

    frames: Frames
    fps: float | None
    note: str = ""
    """What a user should know of how the file was read, such as a variable rate."""


def read_film(path: Path, start: int = 0, count: int | None = None, every: int = 1) -> FilmFile:
    """Read ``count`` frames (all when None), one in ``every``, from frame ``start``; fewer if the film ends before.

    ``path`` is a video file (`VIDEO`), an animated picture (`ANIMATED`), an array (.npz with "x" or a single array, and
    optionally "fps"; .npy) of uint8 [T, H, W] or [T, H, W, 3], or a folder of frames as pictures in the order of the
    numbers in their names. The rate is divided by ``every``. Errors: `DataError` that names the file, and the frame
    if one is damaged.
    """
    shown, ending = printable(path), path.suffix.lower()
    if not path.exists():
        raise DataError(f"{shown}: there is no such file or folder")
    if path.is_dir():
        film = _folder(path, start, count, every)
    elif path.stat().st_size == 0:
        raise DataError(f"{shown}: the file is empty")
    elif ending in VIDEO:
        film = _video(path, start, count, every)
    elif ending in ANIMATED:
        film = _animated(path, start, count, every)
    elif ending in ARRAYS:
        film = _array(path, start, count, every)
    else:
        known = ", ".join(READ)
        raise DataError(
            f'{shown}: films are not read from "{path.suffix}" files, but from {known} or a folder of frames'
        )
    if len(film.frames) == 0:
        raise DataError(f"{shown}: the film has no frame {start}; lower start")
    return film


def _wanted(number: int, start: int, every: int) -> bool:
    return number >= start and (number - start) % every == 0


def _last(start: int, count: int | None, every: int) -> float:
    """The number of the last frame to read."""
    return float("inf") if count is None else start + (count - 1) * every


def _video(path: Path, start: int, count: int | None, every: int) -> FilmFile:
    shown, number = printable(path), -1
    frames: list[Frames] = []
    times: list[float | None] = []
    try:
        with av.open(str(path)) as file:
            if not file.streams.video:
                raise DataError(f"{shown}: the file has no pictures, only sound or text")
            stream = file.streams.video[0]
            stream.thread_type = "AUTO"
            rate = stream.average_rate or stream.guessed_rate
            for number, frame in enumerate(file.decode(stream)):
                if frame.is_corrupt:
                    raise DataError(f"{shown}: frame {number} is damaged; convert the film, or end before that frame")
                times.append(frame.time)
                if _wanted(number, start, every):
                    pixels = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
                    turns = round(frame.rotation / 90) % 4
                    frames.append(np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels)
                if number >= _last(start, count, every):
                    break
    except DataError:
        raise
    except (av.FFmpegError, ValueError, EOFError) as error:
        where = "it cannot be read as a film" if number < 0 else f"it is damaged after frame {number}"
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{shown}: {where} ({reason}); convert or replace it") from error
    fps, note = _rate(times, None if rate is None else float(rate))
    return FilmFile(_stacked(frames, shown), None if fps is None else fps / every, note)


def _rate(times: Sequence[float | None], stated: float | None) -> tuple[float | None, str]:
    """Frames per second and a note, from the times of the frames in seconds and the rate that the file states."""
    known = [t for t in times if t is not None]
    if len(known) < len(times) or len(known) < 2:
        return stated, ""
    steps = np.diff(known)
    usual = float(np.median(steps))
    if usual <= 0:
        return stated, ""
    if np.abs(steps / usual - 1).max() <= UNEVEN:
        return stated or 1 / usual, ""
    mean = (len(known) - 1) / (known[-1] - known[0])
    low, high = 1000 * steps.min(), 1000 * steps.max()
    return mean, f"variable rate, {low:.0f} to {high:.0f} ms per frame, taken as {mean:.4g} frames per second"


def _animated(path: Path, start: int, count: int | None, every: int) -> FilmFile:
    shown, pictures, durations, number = printable(path), [], [], -1
    try:
        with Image.open(path) as picture:
            for number in range(getattr(picture, "n_frames", 1)):
                picture.seek(number)
                picture.load()
                pictures.append(np.asarray(picture.convert("RGB")))
                durations.append(float(picture.info.get("duration", 0)))
    except (OSError, SyntaxError, ValueError, EOFError, LookupError, Image.DecompressionBombError) as error:
        where = "it cannot be read as a film" if number < 0 else f"frame {number} is damaged"
        raise DataError(f"{shown}: {where} ({error}); convert or replace it") from error
    order, fps, note = _timeline(durations, 10 if path.suffix.lower() == ".gif" else 1)
    stop = None if count is None else start + count * every
    frames = [pictures[i] for i in order[start:stop:every]]
    return FilmFile(_stacked(frames, shown), None if fps is None else fps / every, note)


def _timeline(durations: Sequence[float], tick: float) -> tuple[list[int], float | None, str]:
    """The pictures in order, the frames per second and a note, from the durations of the pictures in ms.

    Animated pictures store equal frames once, with a longer duration: such a picture is repeated if all durations are
    multiples of one, up to ``tick``, the unit of time of the format in ms. The last is often held before the film
    repeats, so its duration does not count.
    """
    before = np.array(durations[:-1])
    if len(before) == 0 or before.min() <= 0:
        return list(range(len(durations))), None, ""
    for part in (1, 2):
        times = (part * before / before.min()).round()
        unit = float(before.sum() / times.sum())
        if np.abs(before - unit * times).max() <= tick and times.max() <= MOST_REPEATED and unit > 2 * tick:
            order = [i for i, n in enumerate([*times.astype(int), 1]) for _ in range(n)]
            return order, 1000 / unit, ""
    fps, note = _rate([0.0, *np.cumsum(before / 1000)], None)
    return list(range(len(durations))), fps, note


def _array(path: Path, start: int, count: int | None, every: int) -> FilmFile:
    shown = printable(path)
    try:
        loaded = np.load(path, allow_pickle=False)
        fps: float | None = None
        if isinstance(loaded, np.ndarray):
            array = loaded
        else:
            with loaded:
                fps = float(loaded["fps"]) if "fps" in loaded.files else None
                names = [name for name in loaded.files if name != "fps"]
                key = names[0] if len(names) == 1 else "x"
                if key not in names:
                    raise DataError(f'{shown} has no array "x" (it has {", ".join(names) or "none"})')
                array = loaded[key]
    except DataError:
        raise
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{shown} cannot be read as an array ({error}); save it again") from error
    if array.dtype != np.uint8:
        raise DataError(f"{shown} is {array.dtype}; save the frames as uint8 in 0..255")
    if array.ndim == 3:
        array = np.repeat(array[..., None], 3, 3)
    if array.ndim == 4 and array.shape[-1] == 1:
        array = np.repeat(array, 3, 3)
    if array.ndim != 4 or array.shape[-1] != 3 or array.size == 0:
        raise DataError(f"{shown} is an array {list(array.shape)}; a film is [frames, height, width] or [..., 3]")
    stop = None if count is None else start + count * every
    return FilmFile(array[start:stop:every], None if fps is None else fps / every)


def _folder(path: Path, start: int, count: int | None, every: int) -> FilmFile:
    shown = printable(path)
    files = sorted(
        (f for f in path.iterdir() if f.suffix.lower() in ENDINGS and not f.name.startswith(".")), key=_number
    )
    if not files:
        raise DataError(f"{shown}: the folder has no frames; they are pictures ending in {', '.join(ENDINGS)}")
    stop = None if count is None else start + count * every
    frames = [decode(file, 3).permute(1, 2, 0).numpy() for file in files[start:stop:every]]
    sizes = {frame.shape[:2] for frame in frames}
    if len(sizes) > 1:
        odd = next(f for f, x in zip(files[start:stop:every], frames, strict=True) if x.shape != frames[0].shape)
        raise DataError(f"{printable(odd)}: its size differs from that of the first frame, {frames[0].shape[:2]}")
    return FilmFile(_stacked(frames, shown), None)


def _number(path: Path) -> list[tuple[int, int, str]]:
    """A key to sort names by the numbers in them: frame2 before frame10."""
    parts = re.split(r"(\d+)", path.name)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]


def _stacked(frames: Sequence[Frames], shown: str) -> Frames:
    if len({frame.shape for frame in frames}) > 1:
        raise DataError(f"{shown}: the size of the frames changes; convert the film to one size")
    return np.stack(frames) if frames else np.zeros((0, 0, 0, 3), np.uint8)


def write_video(frames: Sequence[npt.NDArray[np.uint8]], path: Path, fps: float) -> None:
    """Write pictures [H, W] or [H, W, 3] as a lossless film (FFV1), .avi or .mkv, completely or not at all."""
    with replacing(path) as aside, av.open(str(aside), "w") as file:
        stream: Any = file.add_stream("ffv1", rate=Fraction(fps).limit_denominator(1001))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "bgr0"
        for pixels in frames:
            colour = np.repeat(pixels[..., None], 3, 2) if pixels.ndim == 2 else pixels
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(colour), format="rgb24")
            file.mux(stream.encode(frame.reformat(format="bgr0")))
        file.mux(stream.encode())
