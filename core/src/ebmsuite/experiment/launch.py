"""Several processes: what a launcher says of this one, and how to start several on this machine.

torchrun and accelerate set RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT; MPI sets a rank and a size under names of its
own. A part of such a set is what a cluster job or a notebook left behind: it says nothing of this process.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from ebmsuite.errors import Interrupted, RecipeError, UserError
from ebmsuite.experiment.recipe import Recipe
from ebmsuite.files import writing

__all__ = ["LEFT_OVER", "Place", "check", "place", "start_processes", "stop_signals", "waiting"]

PAIRS = (
    ("RANK", "WORLD_SIZE"), ("PMI_RANK", "PMI_SIZE"), ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),
)  # fmt: skip
MEETING = ("MASTER_ADDR", "MASTER_PORT")
LEFT_OVER = (*(name for pair in PAIRS for name in pair), "LOCAL_RANK", "LOCAL_WORLD_SIZE", *MEETING)
"""Variables that libraries take for the word of a launcher."""

log = logging.getLogger("ebmsuite")


class Place(NamedTuple):
    """This process among those that a launcher started."""

    rank: int
    world: int


def place() -> Place | None:
    """The place of this process; None when it is alone, also where variables contradict each other."""
    try:
        return _place(os.environ)
    except UserError:
        return None


def check() -> Place | None:
    """As `place`: a set of variables that is complete but contradictory is a `UserError`, a left-over a warning."""
    found = _place(os.environ)
    if found is None:
        over = [f"{size}={os.environ[size]}" for _, size in PAIRS if os.environ.get(size, "1") != "1"]
        over += [f"{rank}={os.environ[rank]}" for rank, _ in PAIRS if os.environ.get(rank, "0") != "0"]
        if over:
            log.warning(
                "%s in the environment: ignored, this is one process (a launcher also sets %s); for several, "
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
            raise UserError(f"the environment has {set_as}, and one of them is no whole number; unset them") from None
        if not 0 <= found.rank < found.world or not 0 < port < 65536:
            raise UserError(f"the environment has {set_as}, which contradict each other; unset or correct them")
        return found if found.world > 1 else None
    return None


@contextmanager
def waiting(found: Place, seconds: float = 10.0) -> Iterator[None]:
    """While the processes meet: what this one waits for is said when it takes long."""

    def say() -> None:
        log.warning(
            "process %d of %d waits for the others at %s:%s; if none were started, unset RANK and WORLD_SIZE",
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
    """Run the recipe in several processes on this machine; ``resume`` are the changes to a run that goes on."""
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
                            process.terminate()  # each finishes its step, and they save together
                    time.sleep(0.05)
                if told:
                    for process in processes:
                        process.wait()
                codes = [p.poll() for p in processes]  # None: killed below, because another failed
        finally:
            for process in processes:
                process.kill()
                process.wait()
    if told and all(code == 130 for code in codes):
        raise Interrupted(f"go on with: ebm train --resume {folder}")
    if any(codes):
        raise RecipeError(f"a process of {count} ended with status {next(c for c in codes if c)}; see above")
    return folder


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """SIGINT and SIGTERM ask for a stop after this step; a second one does not wait."""
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if seen:
            raise KeyboardInterrupt("stopped at once; the last checkpoint stands")
        seen.append(number)

    try:
        before = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread: signals are someone else's
        before = {}
    try:
        yield lambda: bool(seen)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
