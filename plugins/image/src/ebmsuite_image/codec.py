"""The codec ``image/pixels``: converts picture files and arrays to events in [-1, 1], and back."""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ebmsuite.errors import DataError, RecipeError
from ebmsuite.files import printable, replacing
from ebmsuite.pictures.picture_files import write_png
from ebmsuite.pictures.raster import ENDINGS, decode, fit, from_uint8, recolour, to_uint8
from ebmsuite.pictures.sheets import sheet
from ebmsuite.space import Batch
from ebmsuite_image.folders import Skipped, find

__all__ = ["Inputs", "Pixels", "Scale", "decode", "fit", "from_uint8", "to_uint8"]

Scale: TypeAlias = Literal["unit", "signed"]
"""The interval from black to white in an array of floats: "unit" is [0, 1], "signed" is [-1, 1]."""

_ARRAYS = (".npy", ".npz", ".safetensors")
_FARTHEST = 1.5
"""Largest absolute value accepted in samples on [-1, 1]. Larger floats are on another scale, such as 0..255."""
_OVER = 0.1
"""How far floats on [0, 1] may lie outside it: resampled pictures overshoot."""


@dataclass(frozen=True)
class Inputs:
    """Pictures ``x`` float32 [N, C, H, W] in [-1, 1] and their ``names`` [N].

    A name is the path of the file relative to the given folder, or FILE[i] for a file of several pictures. ``skipped``
    holds the files or arrays that were left out, and ``sizes`` the (height, width) of each picture before it was
    cropped and scaled.
    """

    x: Tensor
    names: tuple[str, ...]
    skipped: Skipped
    sizes: tuple[tuple[int, int], ...]

    @property
    def resized(self) -> str:
        """How many pictures were resized, as in "3 pictures from 64x64 to 28x28"; "" if none."""
        height, width = self.x.shape[-2:]
        changed = Counter(size for size in self.sizes if size != (height, width))
        if not changed:
            return ""
        n, (h, w) = changed.total(), next(iter(changed))
        before = f"{h}x{w}" if len(changed) == 1 else f"{len(changed)} sizes"
        return f"{n:,} picture{'s' if n > 1 else ''} from {before} to {height}x{width}"


@dataclass(frozen=True)
class Pixels:
    """Pictures of one size as events [C, H, W] in [-1, 1].

    ``size`` is (height, width); ``channels`` is 1 (grey) or 3 (RGB).
    """

    name: ClassVar[str] = "image/pixels"

    size: tuple[int, int]
    channels: int = 3

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise RecipeError(f"channels: {self.channels} must be 1 (grey) or 3 (RGB)")
        if min(self.size) < 1:
            raise RecipeError(f"size: {self.size} must be a height and a width of at least one pixel")

    def read(self, path: Path) -> Batch:
        """Read the pictures in ``path``: x float32 [N, C, H, W] in [-1, 1], index 0..N-1. See `inputs`."""
        x = self.inputs(path).x
        return Batch(x, index=torch.arange(len(x)))

    def inputs(self, path: Path, scale: Scale | None = None) -> Inputs:
        """Read the pictures in ``path`` with their names, and list what was left out.

        ``path`` is a picture file (see `ENDINGS`), a folder of picture files and sub-folders (read by
        `ebmsuite_image.folders.find`), an .npy array, an .npz with an array "x" or a single array, or a .safetensors
        file with a tensor "x".

        The axes of an array are [H, W], [H, W, C], [N, H, W], [N, C, H, W] or [N, H, W, C], where C is 1 or 3. With
        three axes, the last one is C if its length is 1 or 3. The shape [3, H, W] is ambiguous. So are four axes of
        which both the second and the last have length 1 or 3, unless the shape is [N, *event] of this codec. An
        ambiguous shape is a `DataError`.

        Values are uint8 in 0..255 or floats. Floats are on [-1, 1] if some are below -0.1 and none has an absolute
        value above 1.5. If none is below -0.1, they could be on [0, 1] or on [-1, 1]: this is a `DataError` unless
        ``scale`` says which.

        Pictures of another size are cropped around their centre to the aspect ratio of ``size`` and scaled. Colour is
        converted to grey, and grey to colour, as needed. `DataError` names a file that cannot be read in these ways.
        """
        path = Path(path)
        shown, ending = printable(path), path.suffix.lower()
        if not path.exists():
            raise DataError(f"{shown}: there is no such file or folder")
        if scale is not None and (path.is_dir() or ending not in _ARRAYS):
            raise DataError(
                f'{shown}: scale "{scale}" is for arrays of floats; picture files have a scale of their own'
            )
        if path.is_dir():
            found = find(path)
            x, sizes = self._pictures(found.paths)
            return Inputs(x, found.printable, found.skipped, sizes)
        name = printable(path.name)
        if ending in ENDINGS:
            x, sizes = self._pictures([path])
            return Inputs(x, (name,), {}, sizes)
        if ending in _ARRAYS:
            array, others = _load(path)
            x, size = self._events(array, shown, scale)
            names = [name] if len(x) == 1 else [f"{name}[{i}]" for i in range(len(x))]
            return Inputs(x, tuple(names), {'other than "x"': others} if others else {}, (size,) * len(x))
        known = ", ".join((*ENDINGS, *_ARRAYS))
        raise DataError(f'{shown}: pictures are not read from "{path.suffix}" files, but from {known} or a folder')

    def write(self, x: Tensor, path: Path, batch: Batch | None = None) -> None:
        """Write pictures x [N, C, H, W] in [-1, 1], in the format given by the ending of ``path``.

        ``.png``: the picture, or a contact sheet of several; ``.npy``: the floats; ``.safetensors``: the floats as
        tensor "x"; no ending: a folder of 0000.png, 0001.png, ... A file is written completely or not at all. Only PNG
        clamps values outside [-1, 1]. Any other ending is a `DataError`. ``batch`` is not used, because these files
        hold pictures only.
        """
        path = Path(path)
        if x.dim() != 4 or x.shape[0] == 0 or x.shape[1] not in (1, 3):
            raise DataError(f"{path}: pictures are [N, 1 or 3, height, width] with N > 0, not {list(x.shape)}")
        x = x.detach().to("cpu", torch.float32).contiguous()
        ending = path.suffix.lower()
        if ending == ".png":
            write_png(sheet(self.show(x)), path)
        elif ending == ".npy":
            with replacing(path) as aside, aside.open("wb") as file:
                np.save(file, x.numpy(), allow_pickle=False)
        elif ending == ".safetensors":
            with replacing(path) as aside:
                safetensors.torch.save_file({"x": x}, aside)
        elif ending == "" or path.is_dir():
            if path.is_dir() and any(path.iterdir()):
                raise DataError(f"{path}: this folder holds files already; name a new or empty one")
            path.mkdir(parents=True, exist_ok=True)
            digits = max(4, len(str(len(x) - 1)))
            for i, picture in enumerate(self.show(x).numpy()):
                write_png(picture, path / f"{i:0{digits}}.png")
        else:
            known = ".png, .npy, .safetensors or no ending (a folder of PNGs)"
            raise DataError(f'{path}: pictures cannot be written as "{path.suffix}"; use {known}')

    def show(self, x: Tensor, batch: Batch | None = None) -> Tensor:
        """Pictures x [N, C, H, W] in [-1, 1] as bytes: uint8 [N, H, W] if C is 1, else [N, H, W, 3] (`to_uint8`)."""
        if x.dim() != 4 or x.shape[1] not in (1, 3):
            raise DataError(f"pictures are [N, 1 or 3, height, width], not {list(x.shape)}")
        pixels = to_uint8(x).cpu()
        return pixels[:, 0] if x.shape[1] == 1 else pixels.permute(0, 2, 3, 1)

    def _pictures(self, paths: Sequence[Path]) -> tuple[Tensor, tuple[tuple[int, int], ...]]:
        """The pictures [N, C, H, W] in files, and the size of each in its file."""
        fitted, sizes = [], []
        for path in paths:
            x = decode(path, self.channels)[None]
            sizes.append((x.shape[-2], x.shape[-1]))
            fitted.append(from_uint8(fit(x, self.size)))
        return torch.cat(fitted), tuple(sizes)

    def _events(self, array: Tensor, path: str, scale: Scale | None) -> tuple[Tensor, tuple[int, int]]:
        x = self._layout(array, path)
        if x.is_floating_point():
            x = _signed(x.to(torch.float32), path, scale)
        elif scale is not None:
            raise DataError(f'{path} is {_dtype(x)}: scale "{scale}" is for floats')
        elif x.dtype == torch.uint8:
            x = from_uint8(x)
        else:
            raise DataError(
                f"{path} is {_dtype(x)}, whose scale is unknown; save it as uint8 in 0..255 or as floats in [-1, 1]"
            )
        return fit(recolour(x, self.channels), self.size).contiguous(), (x.shape[-2], x.shape[-1])

    def _layout(self, x: Tensor, path: str) -> Tensor:
        """The array rearranged to [N, C, H, W], where C is 1 or 3."""
        shape = list(x.shape)
        first, last = (x.dim() > 2 and shape[i] in (1, 3) for i in (1 if x.dim() == 4 else 0, -1))
        if x.dim() == 3 and shape[0] == 3:
            raise DataError(
                f"{path} is an array {shape}: three grey pictures or one in colours? Save it as "
                f"[3, 1, height, width] or [1, 3, height, width]"
            )
        if x.dim() == 4 and first and last and shape[1:] != [self.channels, *self.size]:
            raise DataError(
                f"{path} is an array {shape}: is the second axis the colours or the last? Save it as uint8 PNG files"
            )
        if x.dim() == 2:
            x = x[None, None]
        elif x.dim() == 3:
            x = x.permute(2, 0, 1)[None] if last else x[:, None]
        elif x.dim() == 4 and not first:
            x = x.permute(0, 3, 1, 2)
        if x.dim() != 4 or x.shape[1] not in (1, 3) or x.numel() == 0:
            raise DataError(f"{path} is an array {shape}; pictures are [N, 1 or 3, height, width], N > 0")
        return x


def _signed(x: Tensor, path: str, scale: Scale | None) -> Tensor:
    """Convert floats on ``scale`` to [-1, 1]. When ``scale`` is None, the values must make their scale clear."""
    if not bool(torch.isfinite(x).all()):
        raise DataError(f"{path} holds values that are not numbers (NaN or infinite); remove them")
    low, high = float(x.min()), float(x.max())
    reaches = f"{path} holds floats from {low:.4g} to {high:.4g}"
    if scale == "signed":
        return x
    if scale == "unit":
        if low < -_OVER or high > 1 + _OVER:
            raise DataError(f'{reaches}: with scale "unit" they must be in [0, 1]')
        return 2 * x - 1
    if max(-low, high) > _FARTHEST:
        raise DataError(f"{reaches}: scale them to [-1, 1], or save the pictures as uint8 in 0..255")
    if low >= -_OVER:
        raise DataError(
            f"{reaches}: are they in [0, 1] or in [-1, 1]? Say scale=unit or scale=signed, a setting of every task, or "
            "save the pictures as uint8 in 0..255"
        )
    return x


def _load(path: Path) -> tuple[Tensor, list[str]]:
    """The array in a file, and the names of the other arrays in it."""
    shown = printable(path)
    try:
        if path.suffix.lower() == ".safetensors":
            tensors = safetensors.torch.load_file(path)
            if "x" not in tensors:
                raise DataError(f'{shown} has no tensor "x" (it has {", ".join(tensors) or "none"})')
            return tensors.pop("x"), sorted(tensors)
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return _tensor(loaded), []
        with loaded:
            key = loaded.files[0] if len(loaded.files) == 1 else "x"
            if key not in loaded.files:
                raise DataError(f'{shown} has no array "x" (it has {", ".join(loaded.files) or "none"})')
            return _tensor(loaded[key]), sorted(set(loaded.files) - {key})
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error,
            safetensors.SafetensorError) as error:  # fmt: skip
        raise DataError(f"{shown} cannot be read as an array ({error}); save it again") from error


def _tensor(array: np.ndarray[Any, Any]) -> Tensor:
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=False))


def _dtype(x: Tensor) -> str:
    return str(x.dtype).removeprefix("torch.")
