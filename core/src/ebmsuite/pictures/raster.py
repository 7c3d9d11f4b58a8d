"""Pictures as tensors: conversion of bytes and floats, file decoding, resizing."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import torch
from PIL import Image, ImageOps, TiffImagePlugin, UnidentifiedImageError
from torch import Tensor
from torch.nn.functional import interpolate

from ebmsuite.errors import DataError
from ebmsuite.files import printable

__all__ = ["ENDINGS", "Filter", "Unreadable", "decode", "fit", "from_uint8", "recolour", "to_uint8"]

Filter: TypeAlias = Literal["bilinear", "bicubic"]

ENDINGS = (
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff",
)  # fmt: skip
"""Endings of the picture files that can be read, in lower case. Endings of files may be in upper or lower case."""

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
_REDUCED = 254  # the TIFF tag NewSubfileType; its first bit marks a smaller version of another page
# what Pillow raises for damaged picture data
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, LookupError, struct.error, zlib.error)


def from_uint8(x: Tensor) -> Tensor:
    """Convert bytes 0..255 to float32 in [-1, 1], any shape."""
    return x.to(torch.float32) * (2 / 255) - 1


def to_uint8(x: Tensor) -> Tensor:
    """Convert floats of any shape to bytes, rounded: -1 becomes 0, 1 becomes 255, values outside are clamped.

    This is the exact inverse of `from_uint8`. NaN becomes 0, so that a diverged sample can still be drawn.
    """
    x = torch.nan_to_num(x.detach().to(torch.float32), nan=-1.0)
    return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


class Unreadable(DataError):
    """Raised for a file that does not hold exactly one picture of a known format; ``reason`` says why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{printable(path)} cannot be read as a picture ({reason}); remove or replace it")
        self.reason = reason


def decode(path: Path, channels: int) -> Tensor:
    """Read the picture in a file: uint8 [channels, H, W], upright; of an animation, the first frame.

    Transparent parts become white. 16-bit pixels are scaled from 0..65535 to 0..255. Errors: `Unreadable` when the file
    is damaged, is not a picture, is a TIFF of several pages, or has 32-bit pixels, whose scale is unknown; `DataError`
    when the file does not exist.
    """
    try:
        with Image.open(path, formats=_FORMATS) as opened:
            pages = _pages(opened)
            if pages > 1:
                raise Unreadable(path, f"it has {pages} pages; save each as a file of its own")
            opened.load()
            picture = _opaque(ImageOps.exif_transpose(opened))
            if picture.mode in ("I", "F"):
                raise Unreadable(path, "its pixels have 32 bits, on an unknown scale; save it with 8 or 16 bits")
            array = np.array(picture.convert("L" if channels == 1 else "RGB"))
    except FileNotFoundError as error:
        raise DataError(f"{printable(path)}: there is no such file") from error
    except UnidentifiedImageError as error:
        empty = path.is_file() and path.stat().st_size == 0
        known = f"not {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}, or cut short"
        raise Unreadable(path, "empty" if empty else known) from error
    except Image.DecompressionBombError as error:
        raise Unreadable(path, f"too many pixels: {error}") from error
    except _UNREADABLE as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Unreadable(path, printable(" ".join(reason.split())) or type(error).__name__) from error
    return torch.from_numpy(array.reshape(*array.shape[:2], channels)).permute(2, 0, 1)


def _pages(picture: Image.Image) -> int:
    """Number of pages: 1, or for a TIFF the pages that are not smaller versions of other pages."""
    if not isinstance(picture, TiffImagePlugin.TiffImageFile):
        return 1
    pages = 1
    for i in range(1, picture.n_frames):
        picture.seek(i)
        pages += not picture.tag_v2.get(_REDUCED, 0) & 1
    picture.seek(0)
    return pages


def _opaque(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I;16"):  # Pillow would clip to 255, not scale
        grey = np.asarray(picture, np.float64) / 257
        return Image.fromarray(grey.round().clip(0, 255).astype(np.uint8))
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return picture


def recolour(x: Tensor, channels: int) -> Tensor:
    """Convert [N, 1 or 3, H, W] to ``channels`` channels: grey is repeated, colour becomes its luma (BT.601)."""
    if x.shape[1] == channels:
        return x
    if channels == 3:
        return x.expand(-1, 3, -1, -1)
    weights = torch.tensor([0.299, 0.587, 0.114], device=x.device).view(1, 3, 1, 1)
    luma = (x.to(torch.float32) * weights).sum(1, keepdim=True)
    return luma if x.is_floating_point() else luma.round().to(x.dtype)


def fit(x: Tensor, size: tuple[int, int], crop: int | None = None, filter: Filter = "bilinear") -> Tensor:
    """Crop and scale pictures [N, C, H, W] to ``size`` (height, width); the dtype stays the same.

    The function crops the centre at the aspect ratio of ``size`` (at most ``crop`` x ``crop`` pixels, if given) and
    scales it with ``filter``, antialiased. Pictures that already have the right size are returned unchanged.
    """
    height, width = x.shape[-2:]
    if crop is not None:
        height, width = min(height, crop), min(width, crop)
    scale = min(height / size[0], width / size[1])
    height, width = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    top, left = (x.shape[-2] - height) // 2, (x.shape[-1] - width) // 2
    x = x[..., top : top + height, left : left + width]
    if (height, width) == size:
        return x
    resized = interpolate(x.to(torch.float32), size, mode=filter, antialias=True, align_corners=False)
    return resized if x.is_floating_point() else resized.round().clamp(0, 255).to(x.dtype)
