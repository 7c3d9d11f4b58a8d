"""Progress of long computations, with the time that remains.

Computations report to `progress`; a command that displays progress calls `show`. Without `show`, as in a notebook or a
test, nothing is displayed.
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

__all__ = ["duration", "hide", "part", "progress", "remaining", "show"]

EVERY = 10.0
"""Seconds between two lines, if the output is no terminal."""
AFTER = 1.0
"""Seconds before the bars appear on a terminal."""


@dataclass
class _Job:
    what: str
    total: float
    began: float
    done: float = 0.0
    share: float = 0.0
    """The parts of the enclosing job that this job is; that job advances with it (see `part`)."""
    bar: TaskID | None = None


class _Display:
    """The running jobs; each is nested in the one before it."""

    def __init__(self, out: TextIO, clock: Callable[[], float]) -> None:
        self.out, self.clock = out, clock
        self.jobs: list[_Job] = []
        self.spoken = clock()
        self.bars: Progress | None = None
        self.share = 0.0
        """The share of the next job."""

    def begin(self, what: str, total: float) -> _Job:
        job, self.share = _Job(what, total, self.clock(), share=self.share), 0.0
        if not self.jobs:
            self.spoken = job.began
        self.jobs.append(job)
        if self.bars is not None:
            job.bar = self.bars.add_task(what, total=total)
        return job

    def advance(self, job: _Job, n: float) -> None:
        self._count(job, n)
        now = self.clock()
        if self.out.isatty():
            if self.bars is None and now - self.jobs[0].began >= AFTER:
                self.bars = _bars(self.out)
                for other in self.jobs:
                    other.bar = self.bars.add_task(other.what, total=other.total, completed=int(other.done))
        elif now - self.spoken >= EVERY:
            self.spoken = now
            print(self.line(now), file=self.out, flush=True)

    def _count(self, job: _Job, n: float) -> None:
        job.done += n
        if self.bars is not None and job.bar is not None:
            self.bars.advance(job.bar, n)
        if job.share:
            self._count(self.jobs[self.jobs.index(job) - 1], job.share * n / job.total)

    def line(self, now: float) -> str:
        """One line for all jobs, with the remaining time of the outermost job that has an estimate."""
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
    """Show progress on ``out`` (default: standard error) during the block.

    On a terminal, bars appear for jobs that take longer than a second; elsewhere, one line at most every ten seconds.
    """
    with _displayed(_Display(out or sys.stderr, clock)):
        yield


@contextmanager
def hide() -> Iterator[None]:
    """Show nothing during the block, for code with its own display, such as learning."""
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
    """A job of ``total`` parts that take equally long. Call the yielded function with the number of parts just done.

    ``with progress("chains", steps) as advance: ... advance(1)``. Jobs nest. Outside `show` this costs nothing.
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


@contextmanager
def part(amount: float) -> Iterator[None]:
    """The block is ``amount`` of the parts of the running job, which advances with the first job inside the block."""
    display = _display
    if display is None or not display.jobs:
        yield
        return
    job = display.jobs[-1]
    end, display.share = job.done + amount, amount
    try:
        yield
    finally:
        display.share = 0.0
    display.advance(job, end - job.done)


def remaining(done: float, total: float, seconds: float) -> str:
    """The remaining time in words, estimated from the speed so far; "" when nothing is ``done``."""
    if done <= 0:
        return ""
    return duration(seconds * (total - done) / done)


def duration(seconds: float) -> str:
    """A time in words: "45 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{max(seconds, 0):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
