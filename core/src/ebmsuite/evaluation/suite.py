"""The evaluation suite, which compares our numbers with published ones and states the protocol of each."""

from __future__ import annotations

import importlib.util
import json
import platform
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ebmsuite.errors import MissingData, UnknownName, UserError
from ebmsuite.experiment.checkpoints import checkpoint_steps
from ebmsuite.experiment.recipe import Recipe, fill_metric, read_recipe, read_stored
from ebmsuite.experiment.run import read_log
from ebmsuite.experiment.scoring import score
from ebmsuite.experiment.train import train
from ebmsuite.files import write_text
from ebmsuite.model import load
from ebmsuite.plugins.registry import Registry, import_target
from ebmsuite.progress import hide, progress, remaining
from ebmsuite.scores import Case, Row, Score, Status, Suite
from ebmsuite.values import plain

__all__ = ["evaluate"]


def evaluate(
    what: str | Path,
    budget: str | None = None,
    folder: str | Path = "runs/evaluate",
    seeds: int | None = None,
    metric: Mapping[str, Any] | None = None,
    checkpoint: str | None = None,
    registry: Registry | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Suite:
    """Evaluate a run folder, a recipe or a domain.

    A run is scored with the metrics of its recipe, or with ``metric`` (``{name: ..., n: ..., settings}``), at the
    newest checkpoint or at ``checkpoint`` ("best" or a step). A recipe is first trained with ``budget`` (default
    "quick") and then scored with the cases that its domain has for it; a domain is scored with all of its cases.
    Finished runs in ``folder`` are reused, and interrupted ones are resumed. ``seeds`` overrides the number of runs
    per case. ``say`` receives a line of text at the start of each training run.
    """
    registry = registry or Registry()
    registry.plugins.load_all()
    if (Path(what) / "recipe.yaml").is_file():
        return Suite(str(what), "-", tuple(_of_run(Path(what), metric, checkpoint, registry)), hardware())
    if metric is not None or checkpoint is not None:
        raise UserError(f"{what}: a metric or checkpoint needs a run folder (a folder with a recipe.yaml)")
    budget = budget or "quick"
    name = str(what)
    if "/" in name:
        try:
            registry.get("recipe", name)
        except UnknownName as error:
            raise UnknownName(f"{error} (and {name} is not a run folder)") from error
    elif name not in registry.plugins.names():
        registry.list(domain=name)  # raises the error that lists the installed plugins
    components = registry.list("case", domain=name.partition("/")[0])
    cases: list[Case] = [import_target(c.target) for _, c in components]
    cases = [c for c in cases if name in (c.recipe, c.recipe.partition("/")[0])]
    if not cases:
        raise UserError(f'"{name}" has no cases to evaluate')
    rows, began = [], time.monotonic()
    for number, case in enumerate(cases):
        left = remaining(number, len(cases), time.monotonic() - began)
        place = f" (case {number + 1} of {len(cases)}{left and f', about {left} left'})"

        def say_where(text: str, place: str = place) -> None:
            say(text + place)

        rows.append(_of_case(case, budget, Path(folder) / budget, seeds, registry, say_where))
    suite = Suite(name, budget, tuple(rows), hardware())
    write_text(Path(folder) / budget / f"{name.replace('/', '-')}.json", suite.as_json())
    uses = {c.recipe.partition("/")[0] for c in cases}
    registry.plugins.call("ebm_suite_end", uses, suite=suite, folder=Path(folder) / budget)
    return suite


def _of_run(folder: Path, metric: Mapping[str, Any] | None, checkpoint: str | None, registry: Registry) -> list[Row]:
    model = load(folder, checkpoint, registry=registry)
    specs = model.recipe.metrics if metric is None else (fill_metric(metric, registry),)
    if not specs:
        raise UserError(f"{folder}: the recipe of this run has no metrics; name one (see `ebm list metric`)")
    found: dict[str, Score] = {}
    with progress("metrics", len(specs)) as advance:
        for spec in specs:
            found |= score(model, spec, model.data, registry, model.recipe.seed)
            advance(1)
    rows = []
    for name, result in found.items():
        shown = str(result.protocol.get("metric", name))
        interval = () if result.low is None or result.high is None else (result.low, result.high)
        rows.append(
            Row(name, model.recipe.recipe, shown, "measured", (result.value,), interval, protocol=result.protocol)
        )
    return rows


def _of_case(
    case: Case, budget: str, folder: Path, seeds: int | None, registry: Registry, say: Callable[[str], None]
) -> Row:
    name = str(case.metric["name"])
    facts: dict[str, Any] = {
        "better": case.better, "bar": case.bar.get(budget), "published": case.published, "note": case.note,
    }  # fmt: skip
    reason = unmet(case.needs.get(budget, ()), registry)
    if reason is not None:
        say(f"{case.name}: skipped, {reason}")
        return Row(case.name, case.recipe, name, "skipped", reason=reason, **facts)
    if budget not in case.n:
        raise UserError(f'{case.name}: has no budget "{budget}"; its budgets are: {", ".join(case.n)}')
    values: list[float] = []
    runs: list[str] = []
    scores: Mapping[str, Score] = {}
    settings = [f"{key}={json.dumps(value)}" for key, value in case.settings.items()]
    spec = fill_metric({**case.metric, "n": case.n[budget]}, registry)
    for seed in range(seeds or case.seeds.get(budget, 1)):
        say(f"{case.name}: {case.recipe}, budget {budget}, seed {seed}")
        recipe = read_recipe(case.recipe, registry, [*settings, f"seed={seed}"], budget)
        with hide():  # training shows its own progress
            runs.append(str(_trained(recipe, folder, case.settings, registry)))
        scorer = _scorer(Path(runs[-1]), case.last, registry)
        scores = scorer(spec, seed)
        values.append(_counted(case, scores).value)
    baselines = {}
    with progress(f"{case.name}: baselines", len(case.baselines)) as advance:
        for label, changes in case.baselines.items():
            changed = {**case.metric, **changes, "n": case.n[budget]}
            counted = replace(case, score=changed.pop("score", case.score))
            # a baseline that changes a setting of the metric was not evaluated during training
            at_end = case.last and changes.keys() - {"score", "label"}
            by = _scorer(Path(runs[-1]), 0, registry) if at_end else scorer
            baselines[label] = _counted(counted, by(fill_metric(changed, registry), 0)).value
            advance(1)
    found = _counted(case, scores)
    bar, mean = facts["bar"], statistics.fmean(values)
    status: Status = "measured"
    if bar is not None:
        status = "pass" if (mean <= bar if case.better == "lower" else mean >= bar) else "miss"
    return Row(
        case.name, case.recipe, str(found.protocol.get("metric", name)), status, tuple(values),
        baselines=baselines, protocol=found.protocol, runs=tuple(runs), **facts,
    )  # fmt: skip


def _counted(case: Case, scores: Mapping[str, Score]) -> Score:
    """The score of the metric that counts for the case."""
    if not case.score:
        return next(iter(scores.values()))
    found = [s for key, s in scores.items() if key.rpartition("/")[2] == case.score]
    if not found:
        known = ", ".join(key.rpartition("/")[2] for key in scores)
        raise UserError(f'{case.name}: {case.metric["name"]} has no score "{case.score}"; its scores are: {known}')
    return found[0]


def _scorer(run: Path, last: int, registry: Registry) -> Callable[[Mapping[str, Any], int], Mapping[str, Score]]:
    """A function (spec of a metric, seed) -> scores of the final model, or of the ``last`` evaluations in training."""
    if last:
        return lambda spec, seed: _during(run, spec["label"] or spec["name"], last)
    model = load(run, registry=registry)
    return lambda spec, seed: score(model, spec, model.data, registry, seed)


def _during(run: Path, label: str, last: int) -> dict[str, Score]:
    """The mean of a metric of the run's recipe over its ``last`` evaluations; low and high are their range.

    The protocol is that of the final evaluation plus the steps of all. Errors: `UserError` if there are fewer.
    """
    rows = [
        (row["step"], {key: s for key, s in row["scores"].items() if f"{key}/".startswith(f"{label}/")})
        for row in read_log(run / "metrics.jsonl")
        if "scores" in row
    ]
    found = [(step, scores) for step, scores in rows if scores][-last:]
    if len(found) < last:
        raise UserError(
            f'{run}: "{label}" was evaluated {len(found)} times during training, but {last} evaluations are needed; '
            'give this metric "every" in the recipe, or a smaller one'
        )
    means = {}
    for key, final in found[-1][1].items():
        values = [scores[key]["value"] for _, scores in found]
        facts = {**final["protocol"], "evaluations": last, "steps": [step for step, _ in found]}
        means[key] = Score(statistics.fmean(values), min(values), max(values), facts)
    return means


def _trained(recipe: Recipe, folder: Path, settings: Mapping[str, Any], registry: Registry) -> Path:
    changed = "".join(f"-{key.rpartition('.')[2]}-{value}" for key, value in settings.items())
    changed = re.sub(r"[^\w.-]", "_", changed)
    run = folder / f"{recipe.recipe.replace('/', '-')}{changed}-seed{recipe.seed}"
    if (run / "recipe.yaml").exists():
        if read_stored(run, registry) != recipe:
            raise UserError(f"{run}: holds a run of another version of this recipe; move or delete it")
        if recipe.budget.steps in checkpoint_steps(run / "checkpoints"):
            return run
        return train(resume=run, registry=registry)
    return train(plain(recipe), out=run, registry=registry)


def unmet(needs: Sequence[str], registry: Registry) -> str | None:
    """A description of the first requirement that is not met; None if all are.

    Requirements are "gpu", "module:NAME", "data:NAME", "full-data:NAME" and "extractor:NAME". Data sets and
    extractors are built to test whether they are available.
    """
    for need in needs:
        kind, _, name = need.partition(":")
        if kind == "gpu":
            if not torch.cuda.is_available():
                return "needs a GPU"
        elif kind == "module":
            if importlib.util.find_spec(name) is None:
                return f"needs the package {name}"
        elif kind in ("data", "extractor"):
            kind = "dataset" if kind == "data" else kind
            try:
                registry.build(kind, registry.fill(kind, {"name": name}, need))
            except (MissingData, UserError) as error:
                return f"needs {need}: {error}"
        elif kind == "full-data":
            dataset = registry.build("dataset", registry.fill("dataset", {"name": name}, need))
            if dataset.note:
                return f"needs all of {name}, but this machine has {dataset.note}"
        else:
            known = "gpu, module:NAME, data:NAME, full-data:NAME, extractor:NAME"
            raise UserError(f'case: unknown need "{need}"; the known needs are: {known}')
    return None


def hardware() -> str:
    """A description of the hardware and of the torch version."""
    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    return f"{torch.get_num_threads()} CPU threads ({platform.machine()}), torch {torch.__version__}"
