"""Finds public data sets on this machine, and reads and checks their .npz files.

``EBMSUITE_DATA`` names a folder with this layout (a data set needs only one of these lines)::

    image/NAME.npz                   x_train, y_train, x_test, y_test
    image/NAME_train.npz             x, y        (and image/NAME_test.npz)
    torchvision/...                  what torchvision's data sets write into their ``root``
    image/NAME_subset.npz            like NAME.npz, with a part of the examples
    image/NAME_subset_train.npz      like NAME_train.npz, with a part of the examples

NAME is mnist, fashion_mnist, cifar10 or svhn. The arrays x are uint8 [N, height, width] (grey) or [N, height, width, 3]
(RGB); the arrays y are integers [N] from 0. The suite looks for files in the order above, so it uses a subset only if
the complete data set is missing. If there are no files, torchvision downloads the data set into ``torchvision/``, in
the cache (`ebmsuite.files.cache_folder`) if EBMSUITE_DATA is not set. EBMSUITE_OFFLINE=1 forbids downloads.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ebmsuite import files
from ebmsuite.errors import DataError
from ebmsuite.files import cache_folder, data_folder

__all__ = ["download", "npz_arrays", "npz_file", "torchvision_folder"]


def torchvision_folder() -> Path:
    """The ``root`` folder for torchvision's data sets. It may not exist yet."""
    folder = data_folder()
    return folder / "torchvision" if folder else cache_folder("torchvision")


def npz_file(name: str, part: str) -> tuple[Path, str, str] | None:
    """The .npz file with ``part`` ("train" or "test") of data set ``name`` and its keys for x and y, or None."""
    folder = data_folder()
    if folder is None:
        return None
    whole, half = folder / "image" / f"{name}.npz", folder / "image" / f"{name}_{part}.npz"
    if whole.is_file():
        return whole, f"x_{part}", f"y_{part}"
    return (half, "x", "y") if half.is_file() else None


def npz_arrays(
    path: Path, x_key: str, y_key: str, shape: tuple[int, ...], classes: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Read pictures uint8 [N, *shape] and labels int64 [N] in 0..classes-1. `DataError` names file and key."""
    x, y = _arrays(path, x_key, y_key)
    if x.dtype != np.uint8:
        raise DataError(f'{path}: "{x_key}" is {x.dtype}; it must be uint8 in 0..255')
    if x.shape[1:] != shape or len(x) == 0:
        wanted = ", ".join(map(str, ("N", *shape)))
        raise DataError(f'{path}: "{x_key}" has the shape {list(x.shape)}; it must be [{wanted}] with N > 0')
    if y.shape != x.shape[:1]:
        raise DataError(f'{path}: "{y_key}" has the shape {list(y.shape)}; it must be [{len(x)}], one a picture')
    if y.dtype.kind not in "iu" or y.min() < 0 or y.max() >= classes:
        raise DataError(f'{path}: "{y_key}" must hold whole numbers from 0 to {classes - 1}')
    return x, y.astype(np.int64)


def _arrays(path: Path, *keys: str) -> list[npt.NDArray[Any]]:
    key = ""
    try:
        file = np.load(path, allow_pickle=False)
        if isinstance(file, np.ndarray):
            raise DataError(f"{path} is a single array, not an .npz with {' and '.join(keys)}")
        arrays = []
        with file:
            for key in keys:
                if key not in file.files:
                    raise DataError(f'{path} has no array "{key}" (it has {", ".join(file.files) or "none"})')
                arrays.append(file[key])
        return arrays
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        part = f'"{key}" in ' if key else ""
        raise DataError(
            f"{part}{path} cannot be read ({_line(error)}): the file is damaged or pickled; get it again"
        ) from error


def download(name: str, contents: str, fetch: Callable[[Path], object]) -> None:
    """Download data set ``name`` with ``fetch`` into `torchvision_folder`; see `ebmsuite.files.download`."""
    files.download(f"image/{name}", torchvision_folder(), contents, fetch)


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) < 200 else text[:197] + "..."
