"""The codec ``image/pixels``: picture files and arrays to events in [-1, 1], and back."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import safetensors
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor

from ebmsuite.errors import DataError, RecipeError
from ebmsuite.files import replacing
from ebmsuite.space import Batch
from ebmsuite_image.raster import ENDINGS, decode, fit, from_uint8, grid, recolour, to_uint8

__all__ = ["Pixels", "decode", "fit", "from_uint8", "grid", "to_uint8"]

_FARTHEST = 10.0
"""Beyond this, floats are taken to be on another scale (0..255) rather than samples that left [-1, 1]."""


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
        """The pictures in ``path``: x float32 [N, C, H, W] in [-1, 1], index 0..N-1.

        ``path`` is a picture (png, jpg, jpeg, bmp, gif, webp), a folder of them (sorted by name), an .npy or
        .npz array, or a .safetensors tensor "x". Arrays are [N, C, H, W], [N, H, W, C], [N, H, W], [H, W, C]
        or [H, W], bytes in 0..255 or floats in [-1, 1]. Pictures of another size are cut to the aspect ratio
        around their centre and scaled; colours are turned to grey, and grey to colours, as needed.
        `DataError` names the file that is none of this.
        """
        path = Path(path)
        if path.is_dir():
            x = torch.cat([self._picture(f) for f in _files(path)])
        elif not path.exists():
            raise DataError(f"{path}: there is no such file or folder")
        elif path.suffix.lower() in ENDINGS:
            x = self._picture(path)
        elif path.suffix.lower() in (".npy", ".npz", ".safetensors"):
            x = self._array(path)
        else:
            known = ", ".join((*ENDINGS, ".npy", ".npz", ".safetensors"))
            raise DataError(f'{path}: pictures are not read from "{path.suffix}" files, but from {known} or a folder')
        return Batch(x, index=torch.arange(len(x)))

    @staticmethod
    def names(path: Path, n: int) -> list[str]:
        """The names of the ``n`` pictures that `read` gives: those of the files, or FILE[i] in a file of several."""
        path = Path(path)
        if path.is_dir():
            return [f.name for f in _files(path)]
        return [path.name] if n == 1 else [f"{path.name}[{i}]" for i in range(n)]

    def write(self, x: Tensor, path: Path) -> None:
        """Write pictures x [N, C, H, W] in [-1, 1] as the ending of ``path`` says.

        ``.png``: the picture, or a contact sheet of several; ``.npy``: the floats; ``.safetensors``: the
        floats as tensor "x"; no ending: a folder of 0000.png, 0001.png, ... Files are complete or absent;
        values outside [-1, 1] are clamped in PNG only. Any other ending is a `DataError`.
        """
        path = Path(path)
        if x.dim() != 4 or x.shape[0] == 0 or x.shape[1] not in (1, 3):
            raise DataError(f"{path}: pictures are [N, 1 or 3, height, width] with N > 0, not {list(x.shape)}")
        x = x.detach().to("cpu", torch.float32).contiguous()
        ending = path.suffix.lower()
        if ending == ".png":
            _write_png(x, path)
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
            for i in range(len(x)):
                _write_png(x[i : i + 1], path / f"{i:0{digits}}.png")
        else:
            known = ".png, .npy, .safetensors or no ending (a folder of PNGs)"
            raise DataError(f'{path}: pictures cannot be written as "{path.suffix}"; use {known}')

    def _picture(self, path: Path) -> Tensor:
        return from_uint8(fit(decode(path, self.channels)[None], self.size))

    def _array(self, path: Path) -> Tensor:
        x = _layout(_load(path), path)
        if x.is_floating_point():
            x = x.to(torch.float32)
            if not bool(torch.isfinite(x).all()):
                raise DataError(f"{path} holds values that are not numbers (NaN or infinite); remove them")
            farthest = float(x.abs().max())
            if farthest > _FARTHEST:
                raise DataError(f"{path} reaches {farthest:g}: floats must be scaled to [-1, 1], or saved as uint8")
        elif x.dtype == torch.uint8:
            x = from_uint8(x)
        else:
            raise DataError(f"{path} is {x.dtype}; save it as uint8 in 0..255 or as floats in [-1, 1]")
        return fit(recolour(x, self.channels), self.size).contiguous()


def _files(folder: Path) -> list[Path]:
    files = sorted(f for f in folder.iterdir() if _is_picture(f))
    if not files:
        raise DataError(f"{folder} holds no picture; it needs files ending in {', '.join(ENDINGS)}")
    return files


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".") and path.is_file()


def _load(path: Path) -> Tensor:
    try:
        if path.suffix.lower() == ".safetensors":
            tensors = safetensors.torch.load_file(path)
            if "x" not in tensors:
                raise DataError(f'{path} has no tensor "x" (it has {", ".join(tensors) or "none"})')
            return tensors["x"]
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return torch.from_numpy(loaded)
        with loaded:
            key = loaded.files[0] if len(loaded.files) == 1 else "x"
            if key not in loaded.files:
                raise DataError(f'{path} has no array "x" (it has {", ".join(loaded.files) or "none"})')
            return torch.from_numpy(loaded[key])
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error,
            safetensors.SafetensorError) as error:  # fmt: skip
        raise DataError(f"{path} cannot be read as an array ({error}); save it again") from error


def _layout(x: Tensor, path: Path) -> Tensor:
    shape = list(x.shape)
    if x.dim() == 2:
        x = x[None, None]
    elif x.dim() == 3:
        x = x.permute(2, 0, 1)[None] if shape[-1] in (1, 3) else x[:, None]
    elif x.dim() == 4 and shape[1] not in (1, 3):
        x = x.permute(0, 3, 1, 2)
    if x.dim() != 4 or x.shape[1] not in (1, 3) or x.numel() == 0:
        raise DataError(f"{path} is an array {shape}; pictures are [N, 1 or 3, height, width], N > 0")
    return x


def _write_png(x: Tensor, path: Path) -> None:
    with replacing(path) as aside:
        Image.fromarray(grid(x)).save(aside, format="PNG")
