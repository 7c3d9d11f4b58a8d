"""The progress line of a run."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ebmsuite.experiment import provenance
from ebmsuite.experiment.run import Run
from ebmsuite.hookspecs import hookimpl
from ebmsuite.scores import Score

__all__ = ["Progress"]


class Progress:
    """Shows a progress bar with rate, logged numbers and time left; without a terminal, a line per tenth of the run.

    It shows the energy gap, or the first two logged numbers if the trainer logs no gap.
    """

    def __init__(self) -> None:
        self.console = Console(file=sys.stderr)
        self.bar: Bar | None = None
        self._spoken = -1

    @hookimpl
    def ebm_run_start(self, run: Run) -> None:
        total = run.recipe.budget.steps
        reached = f" at step {run.step}" if run.step else ""
        self.console.print(
            f"[bold]{run.recipe.recipe}[/bold]{reached}: {total} steps of {run.recipe.budget.batch} on "
            f"{run.experiment.device}, {run.ranks.world} process{'es' if run.ranks.world > 1 else ''}; "
            f"run folder {run.folder}",
            highlight=False,
            soft_wrap=True,
        )
        if run.step >= total:
            done = f"all {total} steps are done; add budget.steps=N to --resume to train longer"
            self.console.print(done, highlight=False, markup=False, soft_wrap=True)
        for name, stream in provenance.read(run.folder).get("streams", {}).items():
            self.console.print(provenance.line(f"data.{name}", stream), highlight=False, markup=False, soft_wrap=True)
        if self.console.is_terminal:
            self.bar = Bar(
                MofNCompleteColumn(), BarColumn(), TextColumn("{task.fields[rate]}"),
                TextColumn("{task.fields[numbers]}", markup=False), TimeRemainingColumn(), console=self.console,
            )  # fmt: skip
            self.task = self.bar.add_task("learning", total=total, completed=run.step, numbers="", rate="")
            self.bar.start()

    @hookimpl
    def ebm_logged(self, run: Run, rows: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        step, row = rows[-1]
        total = run.recipe.budget.steps
        if self.bar is not None:
            speed = self.bar.tasks[0].speed
            rate = f"{speed:.2f} steps/s" if speed else ""
            self.bar.update(self.task, completed=step, numbers=shown(row), rate=rate)
        elif 10 * step // max(total, 1) > self._spoken:
            self._spoken = 10 * step // max(total, 1)
            self.console.print(f"step {step}/{total}  {shown(row)}", highlight=False, markup=False)

    @hookimpl
    def ebm_evaluated(self, run: Run, step: int, scores: Mapping[str, Score]) -> None:
        text = ", ".join(f"{s.protocol.get('metric', name)} {s}" for name, s in scores.items())
        self.console.print(f"step {step}: {text}", highlight=False, markup=False, soft_wrap=True)

    @hookimpl
    def ebm_rendered(self, run: Run, step: int, files: Sequence[Path]) -> None:
        where = ", ".join(str(f) for f in files)
        self.console.print(f"step {step}: {where}", highlight=False, markup=False, soft_wrap=True)

    @hookimpl
    def ebm_run_end(self, run: Run, outcome: str) -> None:
        if self.bar is not None:
            self.bar.stop()


def shown(row: Mapping[str, float]) -> str:
    """The numbers of a logged row that the progress line shows, as text."""
    names = ["gap"] if "gap" in row else list(row)[:2]
    return "  ".join(f"{name} {row[name]:+.3g}" for name in names)
