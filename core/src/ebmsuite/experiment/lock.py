"""The lock on a run folder: one process at a time learns in it."""

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
"""What flock says when another process holds the lock. Everything else means that it cannot lock here."""

log = logging.getLogger("ebmsuite")


class Lock(Protocol):
    """A lock that is held until `close`."""

    def close(self) -> None: ...


def lock(folder: Path) -> Lock:
    """Hold the run folder for this process. `UserError` when another process holds it.

    Where the file system has no locks (some Lustre and NFS mounts), a file that names its owner takes their place.
    """
    path = folder / ".lock"
    owner = path.with_name(".lock.owner")
    why = "this system has no fcntl"
    if fcntl is not None:
        file = path.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if owner.exists():  # of a process on a machine that cannot lock here
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
    log.warning("%s: files cannot be locked here (%s); %s marks the run as busy instead", folder, why, owner.name)
    return OwnerFile(owner)


class OwnerFile:
    """A file that is made only if it does not exist, with the host, process and start time of its owner."""

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
        """Give the folder back."""
        if self.path.exists() and self.path.read_text(encoding="utf-8") == self.text:
            self.path.unlink()


def _clear(path: Path) -> None:
    """Remove the file of a process that has ended on this machine; `UserError` for any other file."""
    try:
        text = path.read_text(encoding="utf-8")
        owner = json.loads(text)
        host, pid, since = owner["host"], int(owner["pid"]), owner["since"]
    except FileNotFoundError:
        return
    except (OSError, ValueError, TypeError, KeyError):
        raise _busy(path, "a process that it does not name") from None
    who = f"process {pid} on {host}, since {since}"
    elsewhere = {k: owner.get(k) for k in ("host", "processes")} != _machine()
    if elsewhere or owner.get("started") == _started(pid):
        raise _busy(path, who)
    # two processes may find the file at the same time: what is removed must be what was read
    aside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return
    if aside.read_text(encoding="utf-8") != text:
        os.rename(aside, path)
        raise _busy(path, "a process that has just started")
    aside.unlink()
    log.warning("%s: left over from %s, which has ended; taken over", path, who)


def _busy(path: Path, who: str) -> UserError:
    return UserError(
        f"{path.parent}: in use by {who}; if that has ended, delete {path}, else wait or choose another --out"
    )


def _machine() -> dict[str, Any]:
    """Where a process number means something: the host and, in a container, the container."""
    try:
        processes = os.readlink("/proc/self/ns/pid")
    except OSError:
        processes = None
    return {"host": socket.gethostname(), "processes": processes}


def _owner(pid: int) -> dict[str, Any]:
    """What identifies a process; ``started`` is None where no process has this number."""
    return {**_machine(), "pid": pid, "started": _started(pid), "since": time.strftime("%Y-%m-%d %H:%M:%S")}


def _started(pid: int) -> str | None:
    """When the process began: numbers are used again. None when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return None if stat[0] in "ZX" else stat[19]  # the fields 3 and 22, the latter in ticks since the boot
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
    except (OSError, IndexError):
        pass
    try:  # systems without /proc
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:  # it exists and belongs to someone else
        pass
    return "unknown"
