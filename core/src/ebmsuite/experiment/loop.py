"""The training loop.

Periodic actions (log, scores, pictures, checkpoints) depend only on the step, and use separate random generators. An
interrupted, killed or evaluated run therefore ends in the same state as an undisturbed one.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ebmsuite.experiment.checkpoints import Checkpoints
from ebmsuite.experiment.launch import StopSignals
from ebmsuite.experiment.rollback import roll_back
from ebmsuite.experiment.run import Run
from ebmsuite.experiment.scoring import due, score_and_render

__all__ = ["fit"]


def fit(run: Run, interrupted: StopSignals | None = None) -> str:
    """Train until the budget is used up; return "finished", "interrupted" or "stopped"."""
    interrupted = interrupted or StopSignals()
    recipe, trainer, hooks = run.recipe, run.experiment.trainer, run.registry.plugins
    checkpoints = Checkpoints(run.folder, recipe)
    if run.step == 0:
        checkpoints.save(run)
    while True:
        if not run.evaluated:  # also after a resume or rollback: a checkpoint is saved before its step is scored
            score_and_render(run, interrupted)
            if not run.evaluated:  # a resumed run computes the scores of this step again
                checkpoints.save(run, scheduled=False)
                return "interrupted"
            checkpoints.mark_evaluated(run)
        if run.step >= recipe.budget.steps:
            return "finished"
        t = run.step
        run.experiment.set_step(t)
        batches = {name: s.batch(t).to(run.experiment.device) for name, s in run.experiment.streams.items()}
        logs = trainer.step(t, batches, run.rng)

        run.step, run.evaluated = t + 1, False
        run.keep_routes()
        run.pending.append((run.step, logs))
        if run.ranks.main:
            hooks.call("ebm_step_end", run=run, step=run.step, logs=logs)

        last = run.step == recipe.budget.steps
        save = last or run.step % recipe.checkpoint.every == 0
        flush = save or run.step % recipe.log.every == 0 or any(due(run))
        if flush:
            move_logs(run)
            if save and not _finite(trainer.players):
                run.ask_rollback("a weight is not finite")
            run.rollback, run.stop = run.ranks.from_main((run.rollback, run.stop))
            if run.rollback is not None:
                roll_back(run, checkpoints)
                continue
        if save:
            path = checkpoints.save(run)
            if run.ranks.main:
                hooks.call("ebm_checkpoint_saved", run=run, path=path)
        # a single process stops at once; several processes agree when they next synchronise
        early = "stopped" if run.stop is not None else ""
        if not last and (run.ranks.world == 1 or flush) and any(run.ranks.all_values(interrupted())):
            early = "interrupted"
        if early:
            if not save:
                checkpoints.save(run, scheduled=False)
            return early


def move_logs(run: Run) -> None:
    """Move the logged numbers of the last steps to the host in one transfer, averaged over ranks."""
    rows, run.pending = run.pending, []
    if not rows:
        return
    flat = torch.stack(
        [torch.as_tensor(v, dtype=torch.float32, device=run.experiment.device) for _, row in rows for v in row.values()]
    )
    values = iter(run.ranks.mean(flat).tolist())
    moved = [(step, {name: next(values) for name in row}) for step, row in rows]
    if run.ranks.main:
        run.registry.plugins.call("ebm_logged", run=run, rows=moved)


def _finite(players: Mapping[str, torch.nn.Module]) -> bool:
    return all(bool(torch.isfinite(p).all()) for net in players.values() for p in net.parameters())
