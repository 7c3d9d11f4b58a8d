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

from ebmsuite.errors import MissingData, PluginError, UnknownName, UserError
from ebmsuite.experiment.build import Splits
from ebmsuite.experiment.checkpoints import checkpoint_steps
from ebmsuite.experiment.recipe import Recipe, fill_metric, read_recipe, read_stored
from ebmsuite.experiment.scoring import score
from ebmsuite.experiment.stored import read_log
from ebmsuite.experiment.train import train
from ebmsuite.files import write_text
from ebmsuite.model import load
from ebmsuite.plugins.registry import Registry, import_target
from ebmsuite.progress import hide, progress, remaining
from ebmsuite.scores import Case, Difference, Mean, Prepared, Row, Score, Status, Suite
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
    """Evaluate a run folder, a recipe, a case, a group of cases or a domain.

    A run is scored with the metrics of its recipe, or with ``metric`` (``{name: ..., n: ..., settings}``), at the
    newest checkpoint or at ``checkpoint`` ("best" or a step). A recipe is first trained with ``budget`` (default
    "quick") and then scored with the cases that its domain has for it; a domain is scored with all of its cases. The
    name of a case, of a mean or of a group of cases selects these. Finished runs in ``folder`` are reused, and
    interrupted ones are resumed. ``seeds`` overrides the number of runs per case. ``say`` receives a line of text at
    the start of each training run.
    """
    registry = registry or Registry()
    registry.plugins.load_all()
    if (Path(what) / "recipe.yaml").is_file():
        return Suite(str(what), "-", tuple(_of_run(Path(what), metric, checkpoint, registry)), hardware())
    if metric is not None or checkpoint is not None:
        raise UserError(f"{what}: a metric or checkpoint needs a run folder (a folder with a recipe.yaml)")
    budget = budget or "quick"
    name = str(what)
    cases, means = _selected(name, registry)
    rows, began = {}, time.monotonic()
    scorer = _Scorer(registry, budget, Path(folder) / budget, seeds)
    for number, case in enumerate(cases):
        left = remaining(number, len(cases), time.monotonic() - began)
        place = f" (case {number + 1} of {len(cases)}{left and f', about {left} left'})"

        def say_where(text: str, place: str = place) -> None:
            say(text + place)

        rows[case.name] = scorer.row(case, say_where)
    for mean in means:
        rows[mean.name] = _mean_row(mean, [rows[case] for case in mean.of], budget)
    groups = list(dict.fromkeys(row.group for row in rows.values()))
    ordered = sorted(rows.values(), key=lambda row: (row.group != "", groups.index(row.group)))
    suite = Suite(name, budget, tuple(ordered), hardware())
    write_text(Path(folder) / budget / f"{name.replace('/', '-')}.json", suite.as_json())
    uses = {c.recipe.partition("/")[0] for c in cases}
    registry.plugins.call("ebm_suite_end", uses, suite=suite, folder=Path(folder) / budget)
    return suite


def _selected(name: str, registry: Registry) -> tuple[list[Case], list[Mean]]:
    """The cases of a domain, recipe, case, mean or group, and the means over them."""
    domain = name.partition("/")[0]
    unknown: UserError = UserError(f'"{name}" has no cases to evaluate')
    if "/" in name:
        try:
            registry.get("recipe", name)
        except UnknownName as error:
            unknown = UnknownName(f"{error} (and {name} is not a run folder, a case or a group of cases)")
            if domain not in registry.plugins.names():
                raise unknown from error
    known = [import_target(c.target) for _, c in registry.list("case", domain=domain)]
    for found in known:
        if not isinstance(found, Case | Mean):
            raise PluginError(
                f'plugin "{domain}": {found!r} is registered as a case, but it is neither a Case nor a Mean'
            )
    cases = {c.name: c for c in known if isinstance(c, Case)}
    means = {m.name: m for m in known if isinstance(m, Mean)}
    for mean in means.values():
        for missing in set(mean.of) - cases.keys():
            raise PluginError(f'{mean.name}: its case "{missing}" is not registered; the cases are: {", ".join(cases)}')
    if "/" not in name:
        chosen = set(cases)
    else:
        chosen = {c.name for c in cases.values() if name in (c.name, c.recipe, c.group)}
        chosen |= {case for m in means.values() if name in (m.name, m.group) for case in m.of}
    if not chosen:
        raise unknown
    return [c for c in cases.values() if c.name in chosen], [m for m in means.values() if chosen >= set(m.of)]


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


class _Scorer:
    """Makes the rows of cases: trains what is not trained yet, and computes each score once."""

    def __init__(self, registry: Registry, budget: str, folder: Path, seeds: int | None = None) -> None:
        self.registry, self.budget, self.folder, self.seeds = registry, budget, folder, seeds
        self._scores: dict[tuple[Path, str, int], Mapping[str, Score]] = {}

    def row(self, case: Case, say: Callable[[str], None]) -> Row:
        """The row of a case. Errors: `UserError` when the case has no such budget or contradicts itself."""
        name = str(case.metric["name"])
        facts: dict[str, Any] = {
            "better": case.better, "bar": case.bar.get(self.budget), "published": case.published, "note": case.note,
            "group": case.group,
        }  # fmt: skip
        reason = unmet(case.needs.get(self.budget, ()), self.registry)
        if reason is not None:
            say(f"{case.name}: skipped, {reason}")
            return Row(case.name, case.recipe, name, "skipped", reason=reason, **facts)
        if self.budget not in case.n:
            raise UserError(f'{case.name}: has no budget "{self.budget}"; its budgets are: {", ".join(case.n)}')
        margins = case.margins.get(self.budget, {})
        others = {label: _changed(case, by) for label, by in case.baselines.items() if by.keys() & OTHER_MODEL}
        for label in margins.keys() - others.keys():
            raise UserError(f'{case.name}: margins: no baseline "{label}" has a recipe or settings of its own')
        runs, scores = self._over_seeds(case, "", say)
        values = tuple(s.value for s in scores)
        baselines: dict[str, float] = {}
        differences: dict[str, Difference] = {}
        with progress(f"{case.name}: baselines", len(case.baselines)) as advance:
            for label, changes in case.baselines.items():
                if label in others:
                    their_runs, theirs = self._over_seeds(others[label], f"{label}, ", say)
                    found = Difference.of(values, [s.value for s in theirs], margins.get(label), their_runs)
                    differences[label], baselines[label] = found, statistics.fmean(found.theirs)
                else:
                    baselines[label] = self._score(_changed(case, changes), Path(runs[-1]), 0).value
                advance(1)
        status = _status(statistics.fmean(values), case.better, facts["bar"], differences)
        protocol = scores[-1].protocol
        return Row(
            case.name, case.recipe, str(protocol.get("metric", name)), status, values, baselines=baselines,
            protocol=protocol, runs=tuple(runs), differences=differences, **facts,
        )  # fmt: skip

    def _over_seeds(self, case: Case, label: str, say: Callable[[str], None]) -> tuple[list[str], list[Score]]:
        """The runs of the case's recipe and their scores, one per seed."""
        settings = [f"{key}={json.dumps(value)}" for key, value in case.settings.items()]
        runs, scores = [], []
        for seed in range(self.seeds or case.seeds.get(self.budget, 1)):
            say(f"{case.name}: {label}{case.recipe}, budget {self.budget}, seed {seed}")
            recipe = read_recipe(case.recipe, self.registry, [*settings, f"seed={seed}"], self.budget)
            with hide():  # training shows its own progress
                run = self._trained(recipe, case)
            runs.append(str(run))
            scores.append(self._score(case, run, seed))
        return runs, scores

    def _spec(self, case: Case) -> dict[str, Any]:
        return fill_metric({**case.metric, "n": case.n[self.budget]}, self.registry)

    def _score(self, case: Case, run: Path, seed: int) -> Score:
        """The score that counts, of the final model or of the last evaluations during training."""
        spec = self._spec(case)
        if case.last:
            return _counted(case, _during(run, spec["label"] or spec["name"], case.last))
        key = run, json.dumps(plain(spec)), seed
        if key not in self._scores:  # several cases may count different scores of one metric
            model = load(run, registry=self.registry)
            self._scores[key] = score(model, spec, model.data, self.registry, seed)
        return _counted(case, self._scores[key])

    def _trained(self, recipe: Recipe, case: Case) -> Path:
        """The run folder of the recipe, trained to the end. Before that, the metric prepares what it needs."""
        changed = "".join(f"-{key.rpartition('.')[2]}-{value}" for key, value in case.settings.items())
        changed = re.sub(r"[^\w.-]", "_", changed)
        run = self.folder / f"{recipe.recipe.replace('/', '-')}{changed}-seed{recipe.seed}"
        begun = (run / "recipe.yaml").exists()
        if begun:
            if read_stored(run, self.registry) != recipe:
                raise UserError(f"{run}: holds a run of another version of this recipe; move or delete it")
            if recipe.budget.steps in checkpoint_steps(run / "checkpoints"):
                return run
        if not case.last:  # otherwise the metric belongs to the recipe, and training prepares it
            metric = self.registry.build("metric", self._spec(case))
            if isinstance(metric, Prepared):
                metric.prepare(Splits(next(iter(recipe.data.values())), self.registry))
        if begun:
            return train(resume=run, registry=self.registry)
        return train(plain(recipe), out=run, registry=self.registry)


OTHER_MODEL = {"recipe", "settings"}
"""Keys of a baseline that is another model."""


def _changed(case: Case, changes: Mapping[str, Any]) -> Case:
    """The case of a baseline: ``changes`` to its recipe, settings, score and the settings of its metric."""
    own = {key: changes[key] for key in (*OTHER_MODEL, "score") if key in changes}
    metric = {key: value for key, value in changes.items() if key not in own}
    # a metric with other settings was not evaluated during training
    last = 0 if metric.keys() - {"label"} else case.last
    return replace(case, metric={**case.metric, **metric}, last=last, **own)


def _status(mean: float, better: str, bar: float | None, differences: Mapping[str, Difference]) -> Status:
    met: list[bool | None] = [] if bar is None else [mean <= bar if better == "lower" else mean >= bar]
    met += [d.reaches_margin(better) for d in differences.values() if d.margin is not None]
    if False in met:
        return "miss"
    return "measured" if None in met or not met else "pass"


def _mean_row(mean: Mean, rows: Sequence[Row], budget: str) -> Row:
    """The row of a mean. It is skipped if a case was. Errors: `UserError` when the rows do not fit together."""
    better, bar = rows[0].better, mean.bar.get(budget)
    facts: dict[str, Any] = {"better": better, "bar": bar, "published": mean.published, "note": mean.note}
    recipe, metric = (_common([getattr(row, key) for row in rows]) for key in ("recipe", "metric"))
    skipped = [row.case for row in rows if row.status == "skipped"]
    if skipped:
        reason = f"skipped: {', '.join(skipped)}"
        return Row(mean.name, recipe, metric, "skipped", reason=reason, group=mean.group, **facts)
    if {row.better for row in rows} != {better} or len({len(row.values) for row in rows}) > 1:
        raise UserError(f"{mean.name}: the cases of a mean must agree in what is better and in the number of seeds")
    margins = mean.margins.get(budget, {})
    values = _per_seed([row.values for row in rows])
    differences = {
        label: Difference.of(values, _per_seed([row.differences[label].theirs for row in rows]), margins.get(label))
        for label in rows[0].differences
        if all(label in row.differences for row in rows)
    }
    for label in margins.keys() - differences.keys():
        raise UserError(f'{mean.name}: margins: not all of its cases have a baseline "{label}" that is another model')
    baselines = {
        label: statistics.fmean(row.baselines[label] for row in rows)
        for label in rows[0].baselines
        if all(label in row.baselines for row in rows)
    }
    status = _status(statistics.fmean(values), better, bar, differences)
    protocol = {"mean of": [row.case for row in rows]}
    return Row(
        mean.name, recipe, metric, status, values, baselines=baselines, differences=differences, protocol=protocol,
        group=mean.group, **facts,
    )  # fmt: skip


def _per_seed(values: Sequence[Sequence[float]]) -> tuple[float, ...]:
    return tuple(statistics.fmean(of_seed) for of_seed in zip(*values, strict=True))


def _common(names: Sequence[str]) -> str:
    """The names without repetitions."""
    return ", ".join(dict.fromkeys(names))


def _counted(case: Case, scores: Mapping[str, Score]) -> Score:
    """The score of the metric that counts for the case."""
    if not case.score:
        return next(iter(scores.values()))
    found = [s for key, s in scores.items() if key.rpartition("/")[2] == case.score]
    if not found:
        known = ", ".join(key.rpartition("/")[2] for key in scores)
        raise UserError(f'{case.name}: {case.metric["name"]} has no score "{case.score}"; its scores are: {known}')
    return found[0]


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
