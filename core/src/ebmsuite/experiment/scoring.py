"""Scores and pictures of a model during training, and the scores of a single metric."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ebmsuite.errors import RecipeError
from ebmsuite.experiment.launch import StopAtOnce, StopSignals
from ebmsuite.experiment.run import Run
from ebmsuite.files import writing
from ebmsuite.model import Model
from ebmsuite.plugins.registry import Registry
from ebmsuite.scores import Score

__all__ = ["due", "render", "score", "score_all", "score_and_render"]


def score(model: Model, spec: Mapping[str, Any], data: Any, registry: Registry, seed: int) -> dict[str, Score]:
    """The scores of one metric. The key is its label (or name); a metric with several scores gives LABEL/KEY."""
    metric, label = registry.build("metric", spec), spec.get("label") or spec["name"]
    result = metric(model, data, model.generator(seed), spec["n"])
    scores = {label: result} if isinstance(result, Score) else {f"{label}/{key}": s for key, s in result.items()}
    changes = [change for splits in model.streams.values() for change in getattr(splits, "changes", ())]
    if changes:
        changed = {"data changed since the run": "; ".join(changes)}
        scores = {key: replace(s, protocol={**s.protocol, **changed}) for key, s in scores.items()}
    return scores


def due(run: Run) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """The metrics and the renderers that are scheduled for this step; at the last step, all of them."""

    def now(spec: Mapping[str, Any]) -> bool:
        last = run.step == run.recipe.budget.steps
        return run.step > 0 and (last or bool(spec["every"] and run.step % spec["every"] == 0))

    return [m for m in run.recipe.metrics if now(m)], [r for r in run.recipe.render if now(r)]


def score_and_render(run: Run, signals: StopSignals) -> None:
    """Compute the scores and pictures that are scheduled for this step, on rank 0.

    A signal stops the computation, which changes no state of the run: ``run.evaluated`` is then False.
    """
    metrics, renderers = due(run)
    done = True
    if run.ranks.main:
        try:
            if renderers:
                render(run, renderers, signals)
            if metrics:
                score_all(run, metrics, signals)
        except StopAtOnce:
            done = False
    run.evaluated = run.ranks.from_main(done) if metrics or renderers else True


def _seed(run: Run, name: str) -> int:
    return zlib.crc32(f"{run.recipe.seed}/{run.step}/{name}".encode())


def score_all(run: Run, metrics: Sequence[Mapping[str, Any]], signals: StopSignals) -> None:
    """Score the current model with ``metrics``, log the scores and call the hooks."""
    scores: dict[str, Score] = {}
    with _as_model(run) as model, signals.at_once():
        for spec in metrics:
            scores |= score(model, spec, model.data, run.registry, _seed(run, spec["label"] or spec["name"]))
    best = run.recipe.checkpoint.best
    if best not in (None, *scores) and any(best.startswith(m["label"] or m["name"]) for m in metrics if best):
        raise RecipeError(f'checkpoint.best: there is no score "{best}"; the scores are {", ".join(scores)}')
    run.append({"step": run.step, "scores": {k: s.__dict__ for k, s in scores.items()}})
    run.registry.plugins.call("ebm_evaluated", run=run, step=run.step, scores=scores)


def render(run: Run, renderers: Sequence[Mapping[str, Any]], signals: StopSignals) -> None:
    """Render pictures of the current model and call the hooks."""
    folder = run.folder / "samples" / f"step-{run.step:08d}"
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    with writing(folder), _as_model(run) as model, signals.at_once():
        for spec in renderers:
            renderer = run.registry.build("renderer", spec)
            files += renderer(model, folder, model.generator(_seed(run, spec["name"])), spec["n"])
    run.registry.plugins.call("ebm_rendered", run=run, step=run.step, files=files)


@contextmanager
def _as_model(run: Run) -> Iterator[Model]:
    weights = "ema" if run.experiment.trainer.players.ema else "raw"
    device = run.experiment.device
    with torch.random.fork_rng([device] if device.type == "cuda" else []), run.experiment.in_use():
        yield Model(run.experiment, run.step, weights)
