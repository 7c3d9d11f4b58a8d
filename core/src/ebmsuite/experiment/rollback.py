"""Rollback: return to the last good checkpoint with lower learning rates."""

from __future__ import annotations

import logging

from ebmsuite.errors import Stopped
from ebmsuite.experiment.checkpoints import Checkpoints
from ebmsuite.experiment.run import Run

__all__ = ["roll_back"]

log = logging.getLogger("ebmsuite")


def roll_back(run: Run, checkpoints: Checkpoints) -> None:
    """Return to the last good checkpoint with lower learning rates and new random seeds.

    Raises `Stopped` when the limit of rollbacks is reached.
    """
    asked, run.rollback = run.rollback, None
    assert asked is not None
    players = run.experiment.trainer.players
    step, factor, events, path = run.step, players.lr_factor, run.events, checkpoints.good()
    # the decision need not be saved: the run is deterministic, so after a kill it decides the same again
    state = checkpoints.load(path, run)
    if len(events) >= asked.limit:
        raise Stopped(
            f"{run.recipe.recipe} diverged at step {step}: {asked.reason}. {len(events)} rollbacks with lower "
            f"learning rates (now x{factor:g}) did not help. {asked.advice} The last good checkpoint is {path}"
        )
    known, players.lr_factor = len(run.events), factor * asked.lr_factor
    event = {
        "step": step, "event": "rollback", "reason": asked.reason, "to": run.step, "lr_factor": players.lr_factor,
    }  # fmt: skip
    run.events = [*events, event]
    run.seed_generators()
    if run.ranks.main:
        checkpoints.forget_after(run.step)
        run.cut_log(state.log_bytes)
        for row in run.events[known:]:
            run.append(row)
        log.warning("step %d: %s; back to step %d, learning rates x%g", step, asked.reason, run.step, players.lr_factor)
