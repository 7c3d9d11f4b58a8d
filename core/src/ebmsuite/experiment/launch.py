"""Several processes: detect whether a launcher started this process, and start several on this machine.

torchrun and accelerate set RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT; MPI sets a rank and a size under other
names. An incomplete set of these variables is left over from a cluster job or a notebook, and is ignored.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from ebmsuite.errors import Interrupted, RecipeError, UserError
from ebmsuite.experiment.recipe import Recipe
from ebmsuite.files import writing

__all__ = [
    "LEFT_OVER",
    "Place",
    "StopAtOnce",
    "StopSignals",
    "check",
    "place",
    "start_processes",
    "stop_signals",
    "waiting",
]

PAIRS = (
    ("RANK", "WORLD_SIZE"), ("PMI_RANK", "PMI_SIZE"), ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),
)  # fmt: skip
MEETING = ("MASTER_ADDR", "MASTER_PORT")
LEFT_OVER = (*(name for pair in PAIRS for name in pair), "LOCAL_RANK", "LOCAL_WORLD_SIZE", *MEETING)
"""Variables from which libraries conclude that a launcher started the process."""

log = logging.getLogger("ebmsuite")


class Place(NamedTuple):
    """The rank of this process and the number of processes that a launcher started."""

    rank: int
    world: int


def place() -> Place | None:
    """The place of this process; None if it is the only one, or if the variables contradict each other."""
    try:
        return _place(os.environ)
    except UserError:
        return None


def check() -> Place | None:
    """As `place`, but raise a `UserError` for contradictory variables, and warn about left-over ones."""
    found = _place(os.environ)
    if found is None:
        over = [f"{size}={os.environ[size]}" for _, size in PAIRS if os.environ.get(size, "1") != "1"]
        over += [f"{rank}={os.environ[rank]}" for rank, _ in PAIRS if os.environ.get(rank, "0") != "0"]
        if over:
            log.warning(
                "%s in the environment is ignored: this is a single process (a launcher also sets %s); for several, "
                "use --devices, torchrun or accelerate launch",
                ", ".join(over), ", ".join(v for v in ("RANK", "WORLD_SIZE", *MEETING) if not os.environ.get(v)),
            )  # fmt: skip
    return found


def _place(environment: Mapping[str, str]) -> Place | None:
    if not all(environment.get(name) for name in MEETING):
        return None
    for rank, size in PAIRS:
        if not (environment.get(rank) and environment.get(size)):
            continue
        set_as = ", ".join(f"{name}={environment[name]}" for name in (rank, size, *MEETING))
        try:
            found = Place(int(environment[rank]), int(environment[size]))
            port = int(environment["MASTER_PORT"])
        except ValueError:
            raise UserError(f"the environment has {set_as}, but one of them is not an integer; unset them") from None
        if not 0 <= found.rank < found.world or not 0 < port < 65536:
            raise UserError(f"the environment has {set_as}, which contradict each other; unset or correct them")
        return found if found.world > 1 else None
    return None


@contextmanager
def waiting(found: Place, seconds: float = 10.0) -> Iterator[None]:
    """Warn if the block, in which the processes connect, takes longer than ``seconds``."""

    def say() -> None:
        log.warning(
            "process %d of %d waits for the others at %s:%s; if you started only this one, unset RANK and WORLD_SIZE",
            found.rank, found.world, os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"],
        )  # fmt: skip

    timer = threading.Timer(seconds, say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def start_processes(recipe: Recipe, folder: Path, resume: Sequence[str] | None) -> Path:
    """Run the recipe in several processes on this machine, and return the run folder.

    ``resume`` is None for a new run; for a resumed run it holds the overrides, further arguments of ``ebm train``.
    """
    count = recipe.compute.devices
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kept = {k: v for k, v in os.environ.items() if k not in LEFT_OVER}
    environment = {
        "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // count)), **kept,
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count), "EBMSUITE_LAUNCHED": "1",
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as aside:
        file = Path(aside) / "recipe.yaml"
        with writing(file):
            file.write_text(recipe.as_yaml(), encoding="utf-8")
        target = [str(file), "--out", str(folder)] if resume is None else ["--resume", str(folder), *resume]
        command = [sys.executable, "-m", "ebmsuite", "train", *target]
        processes = [
            subprocess.Popen(command, start_new_session=True, env=environment | {"RANK": str(r), "LOCAL_RANK": str(r)})
            for r in range(count)
        ]
        try:
            with stop_signals() as interrupted:
                told = False
                while any(p.poll() is None for p in processes) and not any(p.poll() for p in processes):
                    if interrupted() and not told:
                        told = True
                        for process in processes:
                            process.terminate()  # each process finishes its step, then all save together
                    time.sleep(0.05)
                if told:
                    for process in processes:
                        process.wait()
                codes = [p.poll() for p in processes]  # None: still running, killed below because another failed
        finally:
            for process in processes:
                process.kill()
                process.wait()
    if told and all(code == 130 for code in codes):
        raise Interrupted(f"interrupted; resume with: ebm train --resume {folder}")
    if any(codes):
        raise RecipeError(
            f"one of {count} processes ended with status {next(c for c in codes if c)}; its error is printed above"
        )
    return folder


class StopAtOnce(KeyboardInterrupt):
    """A signal arrived within `StopSignals.at_once`."""


class StopSignals:
    """Called, it says whether SIGINT or SIGTERM has arrived. A second signal raises `KeyboardInterrupt`."""

    def __init__(self) -> None:
        self._seen = self._at_once = False

    def __call__(self) -> bool:
        return self._seen

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Within the block the signal raises `StopAtOnce`, also if it arrived before.

        The exception can interrupt the block at any place, so the block must not leave anything half-changed.
        """
        self._at_once = True
        try:
            if self._seen:
                raise StopAtOnce
            yield
        finally:
            self._at_once = False

    def note(self, number: int, frame: FrameType | None) -> None:
        """The handler of the signals."""
        if self._seen:
            raise KeyboardInterrupt("stopped at once; the last checkpoint is intact")
        self._seen = True
        if self._at_once:
            raise StopAtOnce


@contextmanager
def stop_signals() -> Iterator[StopSignals]:
    """Within the block, SIGINT or SIGTERM requests a stop after the current step, or at once while a model is scored.

    A second signal stops at once in any case.
    """
    signals = StopSignals()
    try:
        before = {s: signal.signal(s, signals.note) for s in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread, which alone may handle signals
        before = {}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
