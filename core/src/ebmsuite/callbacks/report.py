"""Keep report.html up to date during a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ebmsuite.evaluation.report import write_report
from ebmsuite.experiment.run import Run
from ebmsuite.hookspecs import hookimpl

__all__ = ["ReportWriter"]


class ReportWriter:
    """Writes the report after each rendering and at the end of the run."""

    @hookimpl
    def ebm_rendered(self, run: Run, step: int, files: Sequence[Path]) -> None:
        write_report(run.folder)

    @hookimpl
    def ebm_run_end(self, run: Run, outcome: str) -> None:
        write_report(run.folder, outcome)
