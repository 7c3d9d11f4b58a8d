"""Files that are either as they were or complete."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ebmsuite.errors import DataError, MissingData

__all__ = ["cache_folder", "data_folder", "find", "replacing", "sync", "write_csv", "write_text"]


def data_folder() -> Path | None:
    """The folder that EBMSUITE_DATA names, or None. A name of no folder is a `DataError`."""
    named = os.environ.get("EBMSUITE_DATA")
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise DataError(f"EBMSUITE_DATA names {folder}, which is not a folder; create it or correct the name")
    return folder


def cache_folder(*parts: str) -> Path:
    """The folder for results that can be computed again, below it ``parts``; it is not created.

    The first of: EBMSUITE_CACHE, XDG_CACHE_HOME/ebmsuite, ~/.cache/ebmsuite, ebmsuite in the temporary folder.
    """
    if named := os.environ.get("EBMSUITE_CACHE"):
        return Path(named).expanduser().joinpath(*parts)
    if named := os.environ.get("XDG_CACHE_HOME"):
        return Path(named, "ebmsuite", *parts)
    try:
        return Path.home().joinpath(".cache", "ebmsuite", *parts)
    except RuntimeError:  # no home folder
        return Path(tempfile.gettempdir(), "ebmsuite", *parts)


def find(path: str | Path) -> Path:
    """A user's file: as it is named, or below the folder EBMSUITE_DATA; in neither it is `MissingData`."""
    path, data = Path(path), os.environ.get("EBMSUITE_DATA")
    if path.exists():
        return path
    if data and (Path(data) / path).exists():
        return Path(data) / path
    where = f"nor below {data} (EBMSUITE_DATA)" if data else "and EBMSUITE_DATA names no folder to look in"
    raise MissingData(f"{path}: there is no such file here {where}")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside ``path`` that takes its place when all has been written, and goes when it has not.

    Folders are made. `DataError` when the place cannot be written to.
    """
    aside = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        sync(aside)
        os.replace(aside, path)
    except OSError as error:
        if error.filename is None or Path(os.fsdecode(error.filename)) not in (aside, path, *path.parents):
            raise
        raise DataError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        if path.parent.is_dir():
            aside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text."""
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table with a heading."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    write_text(path, text.getvalue())


def sync(path: Path) -> None:
    """Wait until a file or directory is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
