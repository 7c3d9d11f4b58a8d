"""The data set ``image/folder``: a user's own pictures."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ebmsuite.errors import DataError, RecipeError
from ebmsuite_image.data.pictures import Files, Pictures, check_split
from ebmsuite_image.raster import ENDINGS

__all__ = ["Folder"]

_UP_TO = {"train": 0.90, "valid": 0.95, "test": 1.0}


class Folder(Pictures):
    """The pictures in a folder and the folders in it, sorted by name; hidden ones are left out.

    90 % are train, 5 % valid and 5 % test by a hash of the name that a picture has inside the folder: a
    picture keeps its split when others come or go. A folder with a sub-folder ``train`` is split by its
    sub-folders ``train``, ``valid`` and ``test`` instead. Pictures are cut to squares around their centre
    and scaled to ``size`` x ``size``; ``channels`` is 1 (grey) or 3 (RGB); ``flip`` mirrors training
    examples at random. They are decoded when a batch is asked for: a broken one is a `DataError` then, or
    when `check` is called. A folder, or a split, without pictures is a `DataError` at once.
    """

    def __init__(
        self, path: str | Path, split: str = "train", size: int = 64, channels: int = 3, flip: bool = False
    ) -> None:
        check_split(split)
        if size < 1:
            raise RecipeError(f"size: {size} must be at least one pixel")
        folder = Path(path).expanduser()
        if not folder.is_dir():
            raise DataError(f"{folder} is not a folder; path must name a folder of pictures")
        divided = (folder / "train").is_dir()
        root = folder / split if divided else folder
        found = _find(root)
        if not found:
            raise DataError(f"{root} holds no picture; it needs files ending in {', '.join(ENDINGS)}")
        chosen = found if divided else [f for f in found if _split(f.relative_to(root).as_posix()) == split]
        if not chosen:
            raise DataError(
                f"{folder}: none of its {len(found)} pictures falls into the split {split}; add pictures, or "
                "divide them among sub-folders train, valid and test"
            )
        self.files = Files(chosen, (size, size), channels)
        super().__init__(self.files, flip=flip and split == "train")

    def check(self) -> None:
        """Decode every picture of the split; `DataError` names the first that cannot be read."""
        self.files.check()


def _find(root: Path) -> list[Path]:
    """Pictures below ``root``, sorted by the name inside it; links are followed for files only."""
    found: list[Path] = []
    for folder, inside, names in os.walk(root):
        inside[:] = [name for name in inside if not name.startswith(".")]
        found += [Path(folder, n) for n in names if n.lower().endswith(ENDINGS) and not n.startswith(".")]
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


def _split(name: str) -> str:
    share = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
    return next(split for split, end in _UP_TO.items() if share < end or split == "test")
