"""How far a long computation is, and how long it will still take.

Computations say it to `progress`; a command that wants it shown calls `show`. Elsewhere, as in a notebook or a test,
nothing is shown.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["hide", "progress", "remaining", "show"]

EVERY = 10.0
"""Seconds between two lines, where there is no terminal."""
AFTER = 1.0
"""Seconds before the bars appear, where there is one."""


@dataclass
class _Job:
    what: str
    total: float
    began: float
    done: float = 0.0
    bar: TaskID | None = None


class _Display:
    """The jobs under way, each inside the one before it."""

    def __init__(self, out: TextIO, clock: Callable[[], float]) -> None:
        self.out, self.clock = out, clock
        self.jobs: list[_Job] = []
        self.spoken = clock()
        self.bars: Progress | None = None

    def begin(self, what: str, total: float) -> _Job:
        job = _Job(what, total, self.clock())
        if not self.jobs:
            self.spoken = job.began
        self.jobs.append(job)
        if self.bars is not None:
            job.bar = self.bars.add_task(what, total=total)
        return job

    def advance(self, job: _Job, n: float) -> None:
        job.done += n
        now = self.clock()
        if self.bars is not None:
            if job.bar is not None:
                self.bars.advance(job.bar, n)
        elif self.out.isatty():
            if now - self.jobs[0].began >= AFTER:
                self.bars = _bars(self.out)
                for other in self.jobs:
                    other.bar = self.bars.add_task(other.what, total=other.total, completed=int(other.done))
        elif now - self.spoken >= EVERY:
            self.spoken = now
            print(self.line(now), file=self.out, flush=True)

    def line(self, now: float) -> str:
        """All jobs, with the time that is left for the outermost that knows it."""
        left = next((text for j in self.jobs if (text := remaining(j.done, j.total, now - j.began))), "")
        said = ": ".join(f"{j.what} {j.done / j.total:.0%}" for j in self.jobs)
        return said + (f", about {left} left" if left else "")

    def end(self, job: _Job) -> None:
        self.jobs.remove(job)
        if self.bars is not None:
            if job.bar is not None:
                self.bars.remove_task(job.bar)
            if not self.jobs:
                self.bars.stop()
                self.bars = None


def _bars(out: TextIO) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    bars = Progress(
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
        console=Console(file=out), transient=True,
    )  # fmt: skip
    bars.start()
    return bars


_display: _Display | None = None


@contextmanager
def show(out: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Show progress on ``out`` (standard error unless given) for as long as the block lasts.

    On a terminal there is a bar for each job that lasts a second; elsewhere a line at most every ten seconds.
    """
    with _displayed(_Display(out or sys.stderr, clock)):
        yield


@contextmanager
def hide() -> Iterator[None]:
    """Show nothing for as long as the block lasts: it has a display of its own, as learning has."""
    with _displayed(None):
        yield


@contextmanager
def _displayed(display: _Display | None) -> Iterator[None]:
    global _display
    before, _display = _display, display
    try:
        yield
    finally:
        _display = before


@contextmanager
def progress(what: str, total: float) -> Iterator[Callable[[float], None]]:
    """A job of ``total`` parts that take equally long; the function that is given counts the parts that are done.

    ``with progress("chains", steps) as advance: ... advance(1)``. Jobs nest. Outside `show` it costs nothing.
    """
    display = _display
    if display is None or total <= 0:
        yield lambda n: None
        return
    job = display.begin(what, total)
    try:
        yield lambda n: display.advance(job, n)
    finally:
        display.end(job)


def remaining(done: float, total: float, seconds: float) -> str:
    """The time that is left, in words, if the rest takes as long as what is ``done`` took; "" when nothing is."""
    if done <= 0:
        return ""
    left = seconds * (total - done) / done
    if left < 90:
        return f"{max(left, 0):.0f} s"
    return f"{left / 60:.0f} min" if left < 5400 else f"{left / 3600:.1f} h"
