"""The picture files in a folder: which there are, what they are called, and what is left out."""

from __future__ import annotations

import os
import unicodedata
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from ebmsuite.errors import DataError
from ebmsuite.files import printable
from ebmsuite.pictures.raster import ENDINGS, Unreadable, decode
from ebmsuite_image.structure import ends

__all__ = ["Found", "Invalid", "Skipped", "checked", "complaint", "composed", "find", "told"]

Invalid: TypeAlias = Literal["error", "skip"]
"""What becomes of damaged pictures: an error that lists them, or they are left out and reported."""

Skipped: TypeAlias = Mapping[str, Sequence[str]]
"""Why inputs were left out, in words that follow a count, and which."""

_SHOWN = 5


@dataclass(frozen=True)
class Found:
    """Pictures below ``root``: ``names`` [N] inside it, with "/" between folders, and ``prints`` [N] of their content.

    The order is that of the names, composed (Unicode NFC): it is the same on systems that store them decomposed.
    """

    root: Path
    names: tuple[str, ...]
    prints: tuple[bytes, ...]
    skipped: Skipped

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files [N]."""
        return tuple(self.root / name for name in self.names)

    @property
    def printable(self) -> tuple[str, ...]:
        """The names [N] as text that every output can hold."""
        return tuple(map(printable, self.names))

    def chosen(self, keep: Callable[[str], bool]) -> Found:
        """Those pictures whose name ``keep`` accepts."""
        pairs = [pair for pair in zip(self.names, self.prints, strict=True) if keep(pair[0])]
        names, prints = zip(*pairs, strict=True) if pairs else ((), ())
        return replace(self, names=names, prints=prints)


def find(root: Path, invalid: Invalid = "error", remedy: str = "remove or replace them") -> Found:
    """The pictures in a folder and the folders in it, checked; ``skipped`` has every other file.

    Links are followed, except to a folder that holds the link, and to a folder or file that is read already. Hidden
    files and folders are left out. Damaged pictures are one `DataError` that counts and names them and ends in
    ``remedy``, or are left out (``invalid`` "skip").
    """
    names, skipped = _listed(root)
    if not names:
        others = f" (it has {told(skipped)})" if skipped else ""
        raise DataError(f"{printable(root)} holds no picture; it needs files ending in {', '.join(ENDINGS)}{others}")
    prints, faults = checked(root, names)
    if faults and invalid == "error":
        raise DataError(f"{complaint(root, faults, len(names))}; {remedy}")
    if faults:
        skipped = {**skipped, "that cannot be read as pictures": [printable(name) for name in faults]}
    return Found(root, tuple(names), prints, skipped).chosen(lambda name: name not in faults)


def told(skipped: Skipped) -> str:
    """What was left out, in one line."""
    return "; ".join(f"{len(names)} {reason} ({_few(names)})" for reason, names in skipped.items())


def complaint(root: Path, faults: Mapping[str, str], n: int) -> str:
    """How many of ``n`` pictures are damaged, and the first of them by name with what is wrong."""
    some = _few([f"{printable(name)}: {why}" for name, why in faults.items()], "; ")
    return f"{printable(root)}: {len(faults)} of {n:,} pictures cannot be read ({some})"


def _few(names: Sequence[str], between: str = ", ") -> str:
    return between.join([*names[:_SHOWN], *(["..."] if len(names) > _SHOWN else [])])


def checked(root: Path, names: Sequence[str]) -> tuple[tuple[bytes, ...], dict[str, str]]:
    """A fingerprint of every picture, and what is wrong with those that are damaged.

    Files are judged by their first and last bytes (`ebmsuite_image.structure`); those that look odd are decoded.
    """
    # one thread: on files in the page cache, several wait for the interpreter and take twice as long
    found = [_checked(root, name) for name in names]
    faults = {name: why for name, (_, why) in zip(names, found, strict=True) if why}
    return tuple(print_ for print_, _ in found), faults


def _checked(root: Path, name: str) -> tuple[bytes, str]:
    try:
        print_, whole = ends(f"{root}/{name}")
    except OSError as error:
        return b"", error.strerror or str(error)
    if not whole:
        try:
            decode(root / name, 3)
        except Unreadable as error:
            return print_, error.reason
    return print_, ""


def _listed(root: Path) -> tuple[list[str], Skipped]:
    """Names of all pictures below ``root`` in order, and of all other files by the reason why they are left out."""
    names: list[str] = []
    skipped: dict[str, list[str]] = {}
    read: set[tuple[int, int]] = set()
    folders, linked_folders, linked_files = deque([""]), deque[str](), list[str]()

    def skip(reason: str, name: str) -> None:
        skipped.setdefault(reason, []).append(printable(name))

    def new(name: str) -> bool:
        status = os.stat(root / name)
        key = (status.st_dev, status.st_ino)
        if key in read:
            skip("that link to what is read already", name)
            return False
        read.add(key)
        return True

    while folders or linked_folders:  # links last: what they lead to may be read under its own name
        inside = (folders or linked_folders).popleft()
        if not new(inside):
            continue
        device = os.stat(root / inside).st_dev
        for entry in _entries(root / inside):
            name = f"{inside}/{entry.name}" if inside else entry.name
            link = entry.is_symlink()
            if entry.name.startswith("."):
                skip("hidden", name)
            elif link and not os.path.exists(root / name):
                skip("that link to nothing", name)
            elif entry.is_dir():
                if not link:
                    folders.append(name)
                elif _holds(root / name, root / inside):
                    skip("that link to a folder that holds them", name)
                else:
                    linked_folders.append(name)
            elif not entry.name.lower().endswith(ENDINGS):
                skip("with an ending that is not read", name)
            elif not entry.is_file():
                skip("that are no regular files", name)
            elif link:
                linked_files.append(name)
            else:
                read.add((device, entry.inode()))
                names.append(name)
    names += filter(new, linked_files)
    return sorted(names, key=composed), {reason: sorted(found) for reason, found in sorted(skipped.items())}


def composed(name: str) -> tuple[str, str]:
    """A key to sort names by: composed (Unicode NFC), then as it is where two differ in composition only."""
    return unicodedata.normalize("NFC", name), name


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(
            f"{printable(folder)} cannot be listed ({error.strerror}); allow it, or move the folder away"
        ) from error


def _holds(folder: Path, other: Path) -> bool:
    return Path(os.path.realpath(other)).is_relative_to(os.path.realpath(folder))
