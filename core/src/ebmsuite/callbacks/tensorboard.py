"""Write scalars for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ebmsuite.errors import PluginError
from ebmsuite.experiment.run import Run
from ebmsuite.hookspecs import hookimpl
from ebmsuite.scores import Score

__all__ = ["TensorBoard"]


class TensorBoard:
    """Writes every logged number and score to RUN/tensorboard. Needs the extra ``ebmsuite[tensorboard]``."""

    def __init__(self) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise PluginError(
                'callback "tensorboard": tensorboard is not installed; pip install "ebmsuite[tensorboard]"'
            ) from error
        self._make: Any = SummaryWriter
        self._writer: Any = None

    @hookimpl
    def ebm_run_start(self, run: Run) -> None:
        # purge_step hides values that an earlier process wrote for the steps that are repeated
        self._writer = self._make(str(run.folder / "tensorboard"), purge_step=run.step + 1)

    @hookimpl
    def ebm_logged(self, run: Run, rows: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        for step, row in rows:
            for name, value in row.items():
                self._writer.add_scalar(name, value, step)

    @hookimpl
    def ebm_evaluated(self, run: Run, step: int, scores: Mapping[str, Score]) -> None:
        for name, score in scores.items():
            self._writer.add_scalar(f"score/{name}", score.value, step)

    @hookimpl
    def ebm_run_end(self, run: Run, outcome: str) -> None:
        if self._writer is not None:
            self._writer.close()
