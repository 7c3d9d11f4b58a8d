"""The lock on a run folder: only one process at a time may train in it."""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import time
from pathlib import Path
from typing import Any, Protocol

from ebmsuite.errors import UserError
from ebmsuite.files import full_disk, writing

try:
    import fcntl
except ImportError:  # not a Unix system
    fcntl = None  # type: ignore[assignment]

__all__ = ["Lock", "lock"]

HELD = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}
"""Errors of flock that mean that another process holds the lock. Other errors mean that it does not work here."""

log = logging.getLogger("ebmsuite")


class Lock(Protocol):
    """A lock that is held until `close`."""

    def close(self) -> None: ...


def lock(folder: Path) -> Lock:
    """Lock the run folder for this process. Raises a `UserError` if another process holds it.

    If the file system does not support locks (some Lustre and NFS mounts), a file that names its owner replaces them.
    """
    path = folder / ".lock"
    owner = path.with_name(".lock.owner")
    why = "this system has no fcntl"
    if fcntl is not None:
        file = path.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if owner.exists():  # written by a process on a machine where locks do not work
                _clear(owner)
            return file
        except OSError as error:
            file.close()
            if error.errno in HELD:
                raise UserError(f"{folder}: another process is running in it; choose another --out") from None
            if full_disk(error):
                raise
            why = error.strerror or str(error)
        except UserError:
            file.close()
            raise
    log.warning("%s: files cannot be locked here (%s); the file %s marks the run as busy", folder, why, owner.name)
    return OwnerFile(owner)


class OwnerFile:
    """A lock file, created only if it does not exist. It holds the host, process and start time of its owner."""

    def __init__(self, path: Path) -> None:
        self.path, self.text = path, json.dumps(_owner(os.getpid()), indent=1)
        try:
            self._make()
        except FileExistsError:
            _clear(path)
            try:
                self._make()
            except FileExistsError:
                raise _busy(path, "a process that has just started") from None

    def _make(self) -> None:
        handle = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        try:
            with writing(self.path):
                os.write(handle, self.text.encode())
                os.fsync(handle)
        except BaseException:
            self.path.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)

    def close(self) -> None:
        """Delete the file if it is still the one that this process wrote."""
        if self.path.exists() and self.path.read_text(encoding="utf-8") == self.text:
            self.path.unlink()


def _clear(path: Path) -> None:
    """Remove the file if its owner was a process on this machine that has ended; else raise a `UserError`."""
    try:
        text = path.read_text(encoding="utf-8")
        owner = json.loads(text)
        host, pid, since = owner["host"], int(owner["pid"]), owner["since"]
    except FileNotFoundError:
        return
    except (OSError, ValueError, TypeError, KeyError):
        raise _busy(path, "an unknown process (the file is not readable)") from None
    who = f"process {pid} on {host}, since {since}"
    elsewhere = {k: owner.get(k) for k in ("host", "processes")} != _machine()
    if elsewhere or owner.get("started") == _started(pid):
        raise _busy(path, who)
    # two processes may find the file at the same time: remove only the file that was read
    aside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return
    if aside.read_text(encoding="utf-8") != text:
        os.rename(aside, path)
        raise _busy(path, "a process that has just started")
    aside.unlink()
    log.warning("%s: left over from %s, which has ended; this process takes the folder over", path, who)


def _busy(path: Path, who: str) -> UserError:
    return UserError(
        f"{path.parent}: in use by {who}; if that process has ended, delete {path}, else wait or choose another --out"
    )


def _machine() -> dict[str, Any]:
    """The scope in which a process number is unique: the host and the process namespace (the container)."""
    try:
        processes = os.readlink("/proc/self/ns/pid")
    except OSError:
        processes = None
    return {"host": socket.gethostname(), "processes": processes}


def _owner(pid: int) -> dict[str, Any]:
    """The identity of a process; ``started`` is None if there is no process with this number."""
    return {**_machine(), "pid": pid, "started": _started(pid), "since": time.strftime("%Y-%m-%d %H:%M:%S")}


def _started(pid: int) -> str | None:
    """The start time of a process, since process numbers are reused; None if there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return None if stat[0] in "ZX" else stat[19]  # fields 3 and 22; the latter is in clock ticks since boot
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
    except (OSError, IndexError):
        pass
    try:  # systems without /proc
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:  # the process exists and belongs to another user
        pass
    return "unknown"
