"""The loop of learning.

Everything that happens at a cadence (log, scores, pictures, checkpoints) is a function of the step and draws from
generators of its own, so a run that was interrupted, killed or looked at ends as one that was not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from ebmsuite.experiment.checkpoints import Checkpoints
from ebmsuite.experiment.rollback import roll_back
from ebmsuite.experiment.run import Run
from ebmsuite.experiment.scoring import due, score_and_render

__all__ = ["fit"]


def fit(run: Run, interrupted: Callable[[], bool] = lambda: False) -> str:
    """Learn until the budget is spent; gives "finished", "interrupted" or "stopped"."""
    recipe, trainer, hooks = run.recipe, run.experiment.trainer, run.registry.plugins
    checkpoints = Checkpoints(run.folder, recipe)
    if run.step == 0:
        checkpoints.save(run)
    while True:
        if not run.evaluated:  # also after a resume or a rollback: checkpoints are older than the scores of their step
            score_and_render(run)
            checkpoints.mark_evaluated(run)
        if run.step >= recipe.budget.steps:
            return "finished"
        t = run.step
        run.experiment.at(t)
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
        # one process stops at once; several agree on it when they meet
        early = "stopped" if run.stop is not None else ""
        if not last and (run.ranks.world == 1 or flush) and any(run.ranks.all_values(interrupted())):
            early = "interrupted"
        if early:
            if not save:
                checkpoints.save(run, scheduled=False)
            return early


def move_logs(run: Run) -> None:
    """Move the numbers of the last steps to the host, as means over ranks, in one transfer."""
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
