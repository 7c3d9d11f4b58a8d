"""File handling: atomic writes, cache and data folders, checks of output paths, messages for full disks."""

from __future__ import annotations

import csv
import errno
import getpass
import gzip
import io
import logging
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path

from ebmsuite.errors import DataError, DiskFull, MissingData, UserError

try:
    import fcntl
except ImportError:  # not a Unix system
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "cache_folder",
    "data_folder",
    "download",
    "find",
    "full_disk",
    "locked",
    "missing",
    "output",
    "printable",
    "read_text",
    "replacing",
    "rows_of",
    "settle_caches",
    "sync",
    "write_csv",
    "write_text",
    "writing",
]

log = logging.getLogger("ebmsuite")


def data_folder() -> Path | None:
    """The folder in EBMSUITE_DATA, or None if the variable is not set. `DataError` if it is not a folder."""
    named = os.environ.get("EBMSUITE_DATA")
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise DataError(f"EBMSUITE_DATA names {folder}, which is not a folder; create it or correct the name")
    return folder


def cache_folder(*parts: str) -> Path:
    """The cache folder for files that can be recreated or downloaded again, or the folder ``parts`` below it.

    The folder is not created. It is ``$EBMSUITE_CACHE``, else ``$XDG_CACHE_HOME/ebmsuite``, else ``~/.cache/ebmsuite``.
    Without a writable home directory, as in many containers, it is a folder per user below the temporary folder.
    Errors: `UserError` when that last folder belongs to another user.
    """
    named, base = os.environ.get("EBMSUITE_CACHE"), os.environ.get("XDG_CACHE_HOME", "")
    if named:
        root = Path(os.path.expanduser(named))  # Path.expanduser raises where there is no home directory
    elif os.path.isabs(base):  # the XDG specification ignores relative paths
        root = Path(base) / "ebmsuite"
    else:
        root = _home_cache() or _temporary_cache()
    return root.joinpath(*parts)


LIBRARY_CACHES = {
    "HF_HOME": "huggingface", "MPLCONFIGDIR": "matplotlib", "TORCH_HOME": "torch",
    "TORCHINDUCTOR_CACHE_DIR": "inductor", "TRITON_CACHE_DIR": "triton",
}  # fmt: skip


def settle_caches() -> None:
    """Set cache folders for libraries that need a home directory or a user name, if one of these is missing.

    The function sets only environment variables that are unset, and none at all on an ordinary system.
    """
    try:
        getpass.getuser()
        named = True
    except (KeyError, ImportError, OSError):  # the type depends on the version of Python
        named = False
    if named and _home_cache() is not None:
        return
    try:
        for variable, folder in LIBRARY_CACHES.items():
            os.environ.setdefault(variable, str(cache_folder(folder)))
    except UserError:
        pass  # `cache_folder` raises it again when the suite needs the folder


def _home_cache() -> Path | None:
    home = os.path.expanduser("~")
    if not os.path.isabs(home):  # no HOME, and the user id has no entry in the password database
        return None
    cache = Path(home) / ".cache" / "ebmsuite"
    try:
        existing = next(p for p in (cache, *cache.parents) if p.is_dir())
    except OSError:  # this user may not read the home directory
        return None
    # in containers, the home directory may be "/" or a folder that does not exist
    inside = existing.is_relative_to(home)
    return cache if existing == cache or (inside and os.access(existing, os.W_OK | os.X_OK)) else None


def _temporary_cache() -> Path:
    user = os.getuid() if hasattr(os, "getuid") else None
    folder = Path(tempfile.gettempdir()) / ("ebmsuite" if user is None else f"ebmsuite-{user}")
    if user is not None and folder.exists() and folder.stat().st_uid != user:
        raise UserError(f"{folder} belongs to another user; set EBMSUITE_CACHE to a folder for downloads")
    return folder


def find(path: str | Path) -> Path:
    """Find a user's file: ``path`` itself, or ``path`` below the folder EBMSUITE_DATA; else raise `MissingData`."""
    path, data = Path(path), os.environ.get("EBMSUITE_DATA")
    if path.exists():
        return path
    if data and (Path(data) / path).exists():
        return Path(data) / path
    where = f"nor below {data} (EBMSUITE_DATA)" if data else "and EBMSUITE_DATA names no folder to look in"
    raise MissingData(f"{path}: there is no such file here {where}")


def missing(dataset: str, contents: str, more: str = "") -> MissingData:
    """The error for a data set that is not on this machine, which says where to put its ``contents``."""
    data = data_folder()
    where = f"the folder {data} (EBMSUITE_DATA)" if data else "a folder that EBMSUITE_DATA names"
    return MissingData(f"data set {dataset} is not on this machine{more}: put {contents} into {where}")


def download(dataset: str, folder: Path, contents: str, fetch: Callable[[Path], object]) -> None:
    """Download a data set: call ``fetch`` with a temporary folder, then move the files that it wrote to ``folder``.

    An interrupted download leaves nothing behind. If two processes download at the same time, the files of one are
    discarded. EBMSUITE_OFFLINE=1 forbids downloads. Errors: `MissingData`, which asks for ``contents`` instead, when
    the download fails.
    """
    try:
        if os.environ.get("EBMSUITE_OFFLINE", "0") not in ("", "0"):
            raise OSError("EBMSUITE_OFFLINE is set")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{dataset.rpartition('/')[2]}.", dir=folder) as aside:
            fetch(Path(aside))
            for entry in Path(aside).iterdir():
                _move(entry, folder / entry.name)
    except (OSError, RuntimeError, HTTPException, EOFError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        reason = reason if len(reason) < 200 else reason[:197] + "..."
        raise missing(dataset, contents, f" and cannot be downloaded ({reason})") from error


def _move(source: Path, target: Path) -> None:
    try:
        os.replace(source, target)
    except OSError:
        if not target.exists():  # else another process has just put it there
            raise


def read_text(path: Path, what: str, encoding: str = "utf-8-sig") -> str:
    """Read the text of a file, decompressed if it is a .gz, with all line endings converted to \\n.

    Raises `DataError`, which names the file and, if known, the line, if the file cannot be read, is not text or is
    empty.
    """
    if path.is_dir():
        raise DataError(f"{path}: a folder, not a file")
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    try:
        content = path.read_bytes()
        if path.suffix.lower() == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: it cannot be read ({error}); the file is damaged or incomplete") from error
    if content.startswith(b"\x1f\x8b"):
        raise DataError(f"{path}: it cannot be read as text: its content is gzip; let the name end in .gz")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path}: it cannot be read: its text is UTF-16; save it as UTF-8")
    if b"\0" in content:
        line = _line(content, content.index(b"\0"))
        raise DataError(f"{path}, line {line}: it cannot be read as text: a byte 0; save it as UTF-8 text")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        # error.object is the content that was decoded: utf-8-sig removes a byte order mark first
        line, byte = _line(error.object, error.start), error.object[error.start]
        wanted = "UTF-8" if encoding == "utf-8-sig" else encoding.upper()
        raise DataError(
            f"{path}, line {line}: it cannot be read: the byte {byte:#04x} is not {wanted}; save it as {wanted} text"
        ) from error
    text = text.replace("\r\n", "\n")
    if "\n" not in text:
        text = text.replace("\r", "\n")
    if not text.strip():
        raise DataError(f"{path}: no {what} in it; it is empty")
    return text


def rows_of(text: str) -> list[str]:
    """Split text into lines at \\n only, without the line endings and without blank lines at the end."""
    lines = text.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def _line(content: bytes, offset: int) -> int:
    before = content[:offset].replace(b"\r\n", b"\n")
    return (before.count(b"\n") or before.count(b"\r")) + 1


def full_disk(error: BaseException | None) -> bool:
    """Whether an error, or one of its causes, says that a disk or the user's quota is full."""
    numbers = (errno.ENOSPC, errno.EDQUOT)
    while error is not None:
        if isinstance(error, OSError) and error.errno in numbers:
            return True
        # libraries written in Rust, such as safetensors, raise their own errors with the number in the message
        if any(f"os error {number})" in str(error) for number in numbers):
            return True
        error = error.__cause__
    return False


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Wrap code that writes the file or folder ``path``: a full disk becomes a `DiskFull` that names disk and file."""
    try:
        yield
    except UserError:  # its message already names the file
        raise
    except Exception as error:
        if not full_disk(error):
            raise
        named = getattr(error, "filename", None)
        path = path if named is None else Path(os.fsdecode(named))
        raise DiskFull(f"{path}: cannot be written, {_disk(path)}; free some space") from error


def _disk(path: Path) -> str:
    """A description of the full disk and its free space, for a message."""
    there = next((p for p in (path, *path.absolute().parents) if p.exists()), Path("/"))
    mount = next((p for p in (there.resolve(), *there.resolve().parents) if p.is_mount()), there)
    try:
        usage = shutil.disk_usage(there)
    except OSError:
        return f"the disk {mount} is full"
    left = f"{usage.free / 2**20:,.1f} of {usage.total / 2**20:,.1f} MiB are free"
    return f"the disk {mount}, or your quota on it, is full ({left})"


def printable(name: str | Path) -> str:
    """A file name as text for messages, tables and reports: bytes that are not valid UTF-8 become ``\\xNN``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def output(path: Path, endings: str | Sequence[str], what: str) -> Path:
    """Return ``path`` if ``what`` (the name of a task in messages) can write its file there.

    Call this before the work starts. ``endings`` are the file endings that ``what`` can write, in lower case with the
    dot. Errors: `UserError` for another ending and for a folder.
    """
    endings = (endings,) if isinstance(endings, str) else tuple(endings)
    if path.is_dir():
        problem = "is a folder"
    elif path.suffix.lower() in endings:
        return path
    else:
        problem = f'has the ending "{path.suffix}"' if path.suffix else "has no file ending"
    listed = " or ".join(filter(None, [", ".join(endings[:-1]), endings[-1]]))
    raise UserError(f"{printable(path)} {problem}, and {what} writes a file: name a file that ends in {listed}")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` to write to; it replaces ``path`` on success and is deleted on an error.

    Missing folders are created. Errors: `DataError` when ``path`` cannot be written, `DiskFull` when the disk is full.
    """
    aside = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield aside
            sync(aside)
            os.replace(aside, path)
    except DiskFull:
        raise
    except OSError as error:
        if error.filename is None or Path(os.fsdecode(error.filename)) not in (aside, path, *path.parents):
            raise
        raise DataError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        if path.parent.is_dir():
            aside.unlink(missing_ok=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait until no other process computes the file ``path``, and keep others waiting during the block.

    The lock only avoids that work is done twice: where files cannot be locked, the block runs without it. Write
    ``path`` with `replacing`. Missing folders are created. Errors: `DataError` if the folder cannot be written.
    """
    lock = path.with_name(f".{path.name}.lock")
    try:
        with writing(lock):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = lock.open("w")
    except DiskFull:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror})") from error
    with file:
        if fcntl is not None:
            with suppress(OSError):  # some Lustre and NFS mounts have no locks
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    log.warning("waiting for another process, which computes %s", path)
                    fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)  # a process that waits for it finds ``path``, or computes it


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, completely or not at all."""
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV table with a header row, completely or not at all."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    write_text(path, text.getvalue())


def sync(path: Path) -> None:
    """Wait until a file or directory is stored on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
