"""The picture files in a folder: find, name and check them, and list the files that are left out."""

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

__all__ = ["Found", "Invalid", "Skipped", "checked", "complaint", "composed", "find", "summary"]

Invalid: TypeAlias = Literal["error", "skip"]
"""What to do with damaged pictures: raise an error that lists them, or leave them out and report them."""

Skipped: TypeAlias = Mapping[str, Sequence[str]]
"""The inputs that were left out, by reason. A reason is worded to follow a count."""

_SHOWN = 5


@dataclass(frozen=True)
class Found:
    """Pictures below ``root``: ``names`` [N] relative to it, with "/" between folders, and fingerprints ``prints`` [N].

    They are sorted by the composed form (Unicode NFC) of their names, so the order is the same on systems that store
    decomposed names.
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
        """The names [N] as text that any output can represent."""
        return tuple(map(printable, self.names))

    def chosen(self, keep: Callable[[str], bool]) -> Found:
        """The pictures whose name ``keep`` accepts."""
        pairs = [pair for pair in zip(self.names, self.prints, strict=True) if keep(pair[0])]
        names, prints = zip(*pairs, strict=True) if pairs else ((), ())
        return replace(self, names=names, prints=prints)


def find(root: Path, invalid: Invalid = "error", remedy: str = "remove or replace them") -> Found:
    """Find and check the pictures in a folder and its sub-folders; ``skipped`` lists all other files.

    Links are followed, except links to a folder that contains the link, and links to a folder or file that is read
    anyway. Hidden files and folders are left out. Damaged pictures raise one `DataError`, which counts and names them
    and ends with ``remedy``; with ``invalid`` "skip" they are left out instead.
    """
    names, skipped = _listed(root)
    if not names:
        others = f" (left out: {summary(skipped)})" if skipped else ""
        raise DataError(f"{printable(root)} contains no pictures; file endings can be {', '.join(ENDINGS)}{others}")
    prints, faults = checked(root, names)
    if faults and invalid == "error":
        raise DataError(f"{complaint(root, faults, len(names))}; {remedy}")
    if faults:
        skipped = {**skipped, "that cannot be read as pictures": [printable(name) for name in faults]}
    return Found(root, tuple(names), prints, skipped).chosen(lambda name: name not in faults)


def summary(skipped: Skipped) -> str:
    """Describe in one line what was left out."""
    return "; ".join(f"{len(names)} {reason} ({_few(names)})" for reason, names in skipped.items())


def complaint(root: Path, faults: Mapping[str, str], n: int) -> str:
    """Say how many of ``n`` pictures are damaged, and name the first ones with the fault of each."""
    some = _few([f"{printable(name)}: {why}" for name, why in faults.items()], "; ")
    return f"{printable(root)}: {len(faults)} of {n:,} pictures cannot be read ({some})"


def _few(names: Sequence[str], between: str = ", ") -> str:
    return between.join([*names[:_SHOWN], *(["..."] if len(names) > _SHOWN else [])])


def checked(root: Path, names: Sequence[str]) -> tuple[tuple[bytes, ...], dict[str, str]]:
    """Return the fingerprint of every picture, and the fault of each damaged picture by name.

    The first and last bytes of a file are checked (`ebmsuite_image.structure`). If they look unusual, it is decoded.
    """
    # one thread: for files in the page cache, several threads wait for the interpreter and take twice as long
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
    """Return the sorted names of the pictures below ``root``, and the other files by the reason to leave them out."""
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
            skip("that link to something that is read anyway", name)
            return False
        read.add(key)
        return True

    while folders or linked_folders:  # links last: their targets may be read under their own names
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
                    skip("that link to a folder that contains them", name)
                else:
                    linked_folders.append(name)
            elif not entry.name.lower().endswith(ENDINGS):
                skip("with an unsupported ending", name)
            elif not entry.is_file():
                skip("that are not regular files", name)
            elif link:
                linked_files.append(name)
            else:
                read.add((device, entry.inode()))
                names.append(name)
    names += filter(new, linked_files)
    return sorted(names, key=composed), {reason: sorted(found) for reason, found in sorted(skipped.items())}


def composed(name: str) -> tuple[str, str]:
    """A sort key: the composed name (Unicode NFC), then the name itself, for names that differ only in composition."""
    return unicodedata.normalize("NFC", name), name


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(
            f"{printable(folder)} cannot be listed ({error.strerror}); change its permissions or move it elsewhere"
        ) from error


def _holds(folder: Path, other: Path) -> bool:
    return Path(os.path.realpath(other)).is_relative_to(os.path.realpath(folder))
