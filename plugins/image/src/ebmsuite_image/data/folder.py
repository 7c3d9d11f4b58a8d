"""The data set ``image/folder``: a folder of the user's pictures."""

from __future__ import annotations

from pathlib import Path

from ebmsuite.dataset import drawn_split
from ebmsuite.errors import DataError, RecipeError
from ebmsuite.files import printable
from ebmsuite_image.data.pictures import Files, Pictures, check_split
from ebmsuite_image.folders import Found, Invalid, find

__all__ = ["Folder"]

_SPLIT_OF = {"train": "train", "valid": "valid", "val": "valid", "validation": "valid", "test": "test"}
"""Names of sub-folders that are splits (upper or lower case), and the split of each."""


class Folder(Pictures):
    """The pictures in a folder and its sub-folders, in the order of their names.

    A hash of the name of a picture inside the folder decides its split: 90 % are train, 5 % valid and 5 % test. A
    picture therefore keeps its split when others are added or removed. Names that differ only in their Unicode
    composition get the same split.

    If there is a sub-folder ``train`` and at least one of ``valid`` (or ``val``, ``validation``) and ``test``, these
    sub-folders are the splits. Then a picture outside of them is a `DataError`. ``valid`` and ``test`` without
    ``train``, and two sub-folders for the same split, are a `DataError` too. If only one sub-folder has such a name, it
    is an ordinary sub-folder. ``note`` says how the splits were made.

    Pictures are cropped to the central square and scaled to ``size`` x ``size``; ``channels`` is 1 (grey) or 3 (RGB);
    ``flip`` mirrors training examples at random. The start and end of all picture files, of all splits, are checked
    for damage immediately; ``invalid`` says what happens with damaged ones. Pictures are decoded when a batch needs
    them. ``skipped`` names every file in the folder that is not used. A folder or split without pictures is a
    `DataError`.
    """

    def __init__(
        self,
        path: str | Path,
        split: str = "train",
        size: int = 64,
        channels: int = 3,
        flip: bool = False,
        invalid: Invalid = "error",
    ) -> None:
        check_split(split)
        if size < 1:
            raise RecipeError(f"size: {size} must be at least one pixel")
        folder = Path(path).expanduser()
        if not folder.is_dir():
            raise DataError(f"{printable(folder)} is not a folder; path must name a folder of pictures")
        found = find(folder, invalid, 'remove or replace them, or leave them out with "invalid: skip"')
        chosen, note = _split(found, split)
        self.files = Files(chosen, (size, size), channels)
        super().__init__(self.files, flip=flip and split == "train", note=note, skipped=found.skipped)


def _split(found: Found, split: str) -> tuple[Found, str]:
    """The pictures of a split, and a note that says how they were chosen."""
    folder, n = printable(found.root), len(found.names)
    named: dict[str, str] = {}
    for top in sorted(entry.name for entry in found.root.iterdir() if entry.is_dir()):
        part = _SPLIT_OF.get(top.lower())
        if part in named:
            raise DataError(f'{folder} has two sub-folders for {part}, "{named[part]}" and "{top}"; join them')
        if part is not None:
            named[part] = top
    if len(named) > 1:
        subs = " and ".join(f'"{top}"' for top in named.values())
        if "train" not in named:
            raise DataError(f'{folder} has the sub-folders {subs} but no "train"; add it, or give them other names')
        others = [name for name in found.names if name.split("/")[0] not in named.values()]
        if others:
            raise DataError(
                f"{folder} has the sub-folders {subs}, and pictures outside of them ({printable(others[0])} and "
                f"{len(others) - 1} more): are they the splits? Move these pictures away, or rename the sub-folders"
            )
        chosen = found.chosen(lambda name: name.split("/")[0] == named.get(split))
        if not chosen.names:
            raise DataError(
                f"{folder} is divided into the sub-folders {subs}; it holds no picture of the split {split}"
            )
        return chosen, f'the sub-folder "{named[split]}"'
    chosen = found.chosen(lambda name: drawn_split(name) == split)
    if not chosen.names:
        raise DataError(
            f"{folder}: none of its {n} pictures falls into the split {split}; add pictures, or divide them among "
            "sub-folders train, valid and test"
        )
    note = f"{len(chosen.names):,} of {n:,} pictures are in the split {split}, chosen by their names"
    return chosen, note + "".join(f'; the sub-folder "{top}" is not taken as a split' for top in named.values())
