"""The log of a run, metrics.jsonl."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

from ebmsuite.experiment.run import Run
from ebmsuite.hookspecs import hookimpl

__all__ = ["MetricLog"]


class MetricLog:
    """Writes one row per log.every steps: the mean of each number, and the time of these steps in seconds."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    @hookimpl
    def ebm_run_start(self, run: Run) -> None:
        self._since = time.perf_counter()

    @hookimpl
    def ebm_logged(self, run: Run, rows: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        now = time.perf_counter()
        values: dict[str, list[float]] = defaultdict(list)
        for _, row in rows:
            for name, value in row.items():
                values[name].append(value)
        means = {name: sum(v) / len(v) for name, v in values.items()}
        run.append({"step": rows[-1][0], **means, "seconds": round(now - self._since, 4)})
        self._since = now
