"""Whether a launcher started this process as one of several.

torchrun and accelerate set RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT; MPI sets a rank and a size under names of its
own. A part of such a set is what a cluster job or a notebook left behind: it says nothing of this process.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from ebmsuite.errors import UserError

__all__ = ["LEFT_OVER", "Place", "check", "place", "waiting"]

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
