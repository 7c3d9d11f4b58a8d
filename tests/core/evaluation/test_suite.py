"""The evaluation suite: cases trained once, compared seed by seed, averaged, grouped and printed."""

from __future__ import annotations

import json
import math
import statistics
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from ebmsuite.builtin.examples import MLE_EXAMPLE
from ebmsuite.cli.evaluate_command import _print
from ebmsuite.errors import PluginError, UnknownName, UserError
from ebmsuite.evaluation import suite as evaluation
from ebmsuite.evaluation.report import markdown, write_suite
from ebmsuite.evaluation.suite import evaluate
from ebmsuite.evaluation.wording import compared
from ebmsuite.experiment.stored import read_log
from ebmsuite.plugins.registry import Registry
from ebmsuite.plugins.testing import entry_point, isolated_plugins, watched_by
from ebmsuite.scores import Case, Difference, Mean, Published, Row
from ebmsuite.values import plain

__all__ = ["isolated_plugins"]

PLUGIN = '''
from dataclasses import dataclass

from ebmsuite.hookspecs import Component, hookimpl
from ebmsuite.scores import Case, Mean, Score

ebm_api = 1
EVENTS = []


@dataclass(frozen=True)
class Error:
    """Of the mean of n samples, or of the number ``of``."""

    of: float | None = None

    def prepare(self, data):
        assert len(data["train"]) == 256
        EVENTS.append("prepare")

    def __call__(self, model, data, rng, n):
        EVENTS.append("score")
        mean = float(model.sample(n, rng=rng).mean()) if self.of is None else self.of
        facts = {"split": "test", "n_samples": n}
        return {"error": Score(abs(mean - 1), protocol=facts), "mean": Score(mean, protocol=facts)}


@hookimpl
def ebm_metrics():
    return [Component("scenes/error", "ebmsuite_scenes.plugin:Error", "error of the mean")]


@hookimpl
def ebm_recipes():
    return [Component(f"scenes/{n}", f"ebmsuite_scenes:{n}.yaml", "a tiny recipe") for n in ("one", "two", "unused")]


@hookimpl
def ebm_cases():
    prefix = "ebmsuite_scenes.plugin:CASES."
    return [Component(f"scenes/{name}", prefix + name, "a case") for name in vars(CASES)]


class Cases:
    pass


CASES = Cases()
'''
RECIPE = {**MLE_EXAMPLE, "budgets": {"quick": {"budget.steps": 4}}, "watch": [
    {"name": name, "enabled": False} for name in ("guard", "progress", "report")
]}  # fmt: skip


@pytest.fixture
def scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, isolated_plugins: Any) -> Any:
    """A function: cases -> a registry with a plugin that has them; ``events`` is what its metric was asked."""
    package = tmp_path / "plugin" / "ebmsuite_scenes"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "plugin.py").write_text(PLUGIN)
    for number, name in enumerate(("one", "two", "unused")):
        recipe = {**RECIPE, "optimisers": {"energy": {"name": "adam", "lr": 0.02 + 0.1 * number}}}
        (package / f"{name}.yaml").write_text(yaml.safe_dump({**recipe, "recipe": f"scenes/{name}"}))
    monkeypatch.syspath_prepend(package.parent)
    for name in ("ebmsuite_scenes", "ebmsuite_scenes.plugin"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    plugin = __import__("ebmsuite_scenes.plugin").plugin

    def make(*cases: Case | Mean) -> Registry:
        plugin.CASES.__dict__.clear()
        for case in cases:
            setattr(plugin.CASES, case.name.partition("/")[2], case)
        registry = Registry(isolated_plugins(entry_point("scenes", "ebmsuite_scenes.plugin", "ebmsuite-scenes")))
        train = evaluation.train

        def counted(*args: Any, **kwargs: Any) -> Path:
            plugin.EVENTS.append("train")
            return train(*args, **kwargs)

        monkeypatch.setattr(evaluation, "train", counted)
        make.events = plugin.EVENTS  # type: ignore[attr-defined]
        return registry

    yield make
    for name in ("ebmsuite_scenes", "ebmsuite_scenes.plugin"):
        sys.modules.pop(name, None)


ERROR = Case(
    "scenes/one-error", "scenes/one", {"name": "scenes/error"}, "lower", {"quick": 50}, seeds={"quick": 3},
    baselines={"two": {"recipe": "scenes/two"}, "truth": {"of": 1.0}},
)  # fmt: skip


def test_two_recipes_are_compared_seed_by_seed(scenes: Any, tmp_path: Path, capsys: Any) -> None:
    registry = scenes(replace(ERROR, margins={"quick": {"two": -100.0}}))
    suite = evaluate("scenes", folder=tmp_path, registry=registry)
    assert scenes.events.count("train") == 6
    (row,) = suite.rows
    found = row.differences["two"]

    # the values of each recipe alone, by the command for a run
    def alone(recipe: str) -> list[float]:
        runs = [tmp_path / "quick" / f"scenes-{recipe}-seed{seed}" for seed in range(3)]
        return [
            evaluate(run, metric={"name": "scenes/error", "n": 50}, registry=registry).rows[0].values[0] for run in runs
        ]

    ours, theirs = alone("one"), alone("two")
    assert (row.values, found.theirs) == (tuple(ours), tuple(theirs))
    assert found.values == tuple(a - b for a, b in zip(ours, theirs, strict=True))
    assert found.mean == pytest.approx(statistics.fmean(ours) - statistics.fmean(theirs))
    assert found.standard_error == pytest.approx(statistics.stdev(found.values) / math.sqrt(3))
    assert row.baselines == {"two": statistics.fmean(theirs), "truth": 0.0}
    assert row.status == "pass"
    assert [Path(run).name for run in found.runs] == [f"scenes-two-seed{seed}" for seed in range(3)]

    _print(suite)
    said = capsys.readouterr().out
    line = compared("two", found, "lower")
    assert line in said
    assert f"{found.mean:+.4g} ± {found.standard_error:.2g} (standard error, 3 paired seeds)" in line
    assert line in markdown(suite)
    page = write_suite(suite, tmp_path / "page.html")
    assert "paired seeds" in page.read_text()
    assert page.with_suffix(".md").read_text() == markdown(suite)
    stored = json.loads((tmp_path / "quick" / "scenes.json").read_text())["rows"][0]["differences"]["two"]
    assert (stored["mean"], stored["standard_error"]) == (found.mean, found.standard_error)


def test_finished_runs_are_used_again(scenes: Any, tmp_path: Path) -> None:
    registry = scenes(ERROR)
    first = evaluate("scenes/one", folder=tmp_path, registry=registry)
    events = scenes.events
    assert events[:3] == ["prepare", "train", "score"]  # what the metric needs is prepared before learning
    done = len(events)
    assert evaluate("scenes/one-error", folder=tmp_path, registry=registry).rows == first.rows
    assert "train" not in events[done:]
    more = evaluate("scenes", folder=tmp_path, registry=registry, seeds=4).rows[0]
    assert events.count("train") == 8
    assert more.values[:3] == first.rows[0].values


def test_a_baseline_may_be_the_recipe_with_other_settings(scenes: Any, tmp_path: Path) -> None:
    """An ablation; a baseline that only names the own recipe pairs other settings of the metric per seed."""
    case = replace(
        ERROR,
        settings={"energy.lr": 0.1},
        baselines={
            "shorter": {"settings": {"budget.steps": 1}},
            "truth": {"recipe": "scenes/one", "of": 1.0},
            "mean": {"recipe": "scenes/one", "score": "mean"},
        },
        margins={"quick": {"truth": 0.0}},
    )
    (row,) = evaluate("scenes", folder=tmp_path, registry=scenes(case)).rows
    assert scenes.events.count("train") == 6
    assert sorted(p.name for p in (tmp_path / "quick").iterdir() if p.is_dir())[0] == "scenes-one-lr-0.1-seed0"
    assert "scenes-one-steps-1-seed2" in {Path(run).name for run in row.differences["shorter"].runs}
    assert row.differences["truth"].values == row.values  # the error of the truth is 0
    assert row.status == "miss"
    # both scores of the metric come from one computation
    assert scenes.events.count("score") == 3 + 3 + 3


THREE, MORE = [1.0, 2.0, 3.0], [2.0, 3.5, 4.5]


@pytest.mark.parametrize(
    ("ours", "theirs", "better", "margin", "reached", "said"),
    [
        (THREE, MORE, "lower", 0.0, True, "ours is better by 8.0 standard errors; margin > 0: reached"),
        (THREE, MORE, "higher", 0.0, False, "two is better by 8.0 standard errors; margin > 0: missed"),
        (THREE, MORE, "higher", -9.0, True, "margin ≥ -9 standard errors: reached"),
        (THREE, MORE, "lower", 9.0, False, "margin > 9 standard errors: missed"),
        (THREE, MORE, "lower", None, None, "ours is better by 8.0 standard errors"),
        (THREE, THREE, "lower", 0.0, False, "+0 ± 0 (standard error, 3 paired seeds); equal; margin > 0: missed"),
        (THREE, THREE, "lower", -2.0, True, "margin ≥ -2 standard errors: reached"),
        (THREE, THREE, "lower", 2.0, False, "margin > 2 standard errors: missed"),
        ([1.0, 2.0], [2.0, 3.0], "lower", 2.0, True, "-1 ± 0 (standard error, 2 paired seeds); ours is better; margin"),
        ([1.0], [2.0], "lower", 0.0, True, "-1 (1 seed, so the standard error is unknown); ours is better; margin > 0"),
        ([1.0], [2.0], "lower", 2.0, None, "ours is better; margin > 2 standard errors: unknown"),
    ],
)  # fmt: skip
def test_differences_and_margins(
    ours: list[float], theirs: list[float], better: str, margin: float | None, reached: bool | None, said: str
) -> None:
    found = Difference.of(ours, theirs, margin)
    assert found.reaches_margin(better) is reached
    assert said in compared("two", found, better)
    row = evaluation._status(1.0, better, None, {"two": found})
    assert row == ("measured" if reached is None else "pass" if reached else "miss")
    bar = evaluation._status(1.0, better, 0.0 if better == "lower" else 2.0, {"two": found})
    assert bar == "miss"  # the bar counts as well


def test_a_margin_over_what_is_no_other_model_is_refused(scenes: Any, tmp_path: Path) -> None:
    for label in ("truth", "nothing"):
        registry = scenes(replace(ERROR, margins={"quick": {label: 0.0}}))
        with pytest.raises(UserError, match=f'margins: no baseline "{label}" has a recipe or settings of its own'):
            evaluate("scenes", folder=tmp_path, registry=registry)
    assert "train" not in scenes.events


# -- several data sets ---------------------------------------------------------------------------------------------

SCENES = [
    replace(ERROR, name=f"scenes/{name}", settings={"data.data.mean": mean}, seeds={"quick": 2}, group="scenes/moved",
            baselines={"short": {"settings": {"data.data.mean": mean, "budget.steps": 1}}, **own})
    for name, mean, own in (("near", 1.0, {"far": {"of": 3.0}}), ("far", 2.0, {}), ("farther", 3.0, {}))
]  # fmt: skip
MEAN = Mean(
    "scenes/average", ("scenes/near", "scenes/far", "scenes/farther"), (Published(0.5, "somewhere"),),
    bar={"quick": 1e-9}, group="scenes/moved", margins={"quick": {"short": -50.0}},
)  # fmt: skip
WITHOUT = Mean("scenes/without", ("scenes/far", "scenes/farther"), group="scenes/moved")


def test_a_mean_over_data_sets(scenes: Any, tmp_path: Path, capsys: Any) -> None:
    registry = scenes(*SCENES, MEAN, WITHOUT, replace(ERROR, seeds={}))
    suite = evaluate("scenes", folder=tmp_path, registry=registry)
    rows = {row.case: row for row in suite.rows}
    assert list(rows) == [
        "scenes/one-error", "scenes/far", "scenes/farther", "scenes/near", "scenes/average", "scenes/without"
    ]  # fmt: skip
    near, far, farther, average = (rows[f"scenes/{name}"] for name in ("near", "far", "farther", "average"))
    assert average.values == pytest.approx([sum(r.values[seed] for r in (near, far, farther)) / 3 for seed in (0, 1)])
    assert rows["scenes/without"].mean == pytest.approx((far.mean + farther.mean) / 2)
    assert average.baselines.keys() == {"short"}  # what all cases have
    paired = average.differences["short"]
    of_each = [row.differences["short"].values for row in (near, far, farther)]
    assert paired.values == pytest.approx([sum(values[seed] for values in of_each) / 3 for seed in (0, 1)])
    assert (average.status, average.metric, average.recipe) == ("miss", near.metric, "scenes/one")
    _print(suite)
    said = capsys.readouterr().out
    assert said.count("scenes/moved:\n") == 1
    assert said.index("scenes/one-error") < said.index("scenes/moved:") < said.index("scenes/far ")
    assert "| **scenes/moved** |" in markdown(suite)
    assert "<th colspan=7>scenes/moved</tr>" in write_suite(suite, tmp_path / "page.html").read_text()


@pytest.mark.parametrize(
    ("what", "cases"),
    [
        ("scenes/moved", {"near", "far", "farther", "average", "without"}),
        ("scenes/without", {"far", "farther", "without"}),
        ("scenes/near", {"near"}),
        ("scenes/one", {"near", "far", "farther", "average", "without"}),
        ("scenes/two", {"other"}),
        ("scenes", {"near", "far", "farther", "average", "without", "other"}),
    ],
)
def test_what_a_name_selects(what: str, cases: set[str], scenes: Any) -> None:
    registry = scenes(*SCENES, MEAN, WITHOUT, replace(ERROR, name="scenes/other", recipe="scenes/two"))
    found, means = evaluation._selected(what, registry)
    assert {c.name.partition("/")[2] for c in (*found, *means)} == cases


def test_names_that_select_nothing(scenes: Any) -> None:
    registry = scenes(*SCENES)
    with pytest.raises(UserError, match='"scenes/unused" has no cases to evaluate'):
        evaluate("scenes/unused", registry=registry)
    with pytest.raises(UnknownName, match=r'no recipe "scenes/thre".*is not a run folder, a case or a group of cases'):
        evaluate("scenes/thre", registry=registry)
    with pytest.raises(UnknownName, match=r'no plugin "nowhere" is installed.*is not a run folder'):
        evaluate("nowhere/at-all", registry=registry)
    with pytest.raises(UnknownName, match=r'no plugin "nowhere" is installed'):
        evaluate("nowhere", registry=registry)
    with pytest.raises(PluginError, match="is registered as a case, but it is neither a Case nor a Mean"):
        evaluate("scenes", registry=scenes(*SCENES, SimpleNamespace(name="scenes/odd")))
    with pytest.raises(PluginError, match=r'scenes/average: its case "scenes/near" is not registered'):
        evaluate("scenes", registry=scenes(*SCENES[1:], MEAN))


def test_a_mean_of_a_skipped_case_is_skipped(scenes: Any, tmp_path: Path) -> None:
    skipped = replace(SCENES[0], needs={"quick": ("module:no_such_package",)})
    suite = evaluate("scenes/moved", folder=tmp_path, registry=scenes(skipped, *SCENES[1:], MEAN, WITHOUT))
    rows = {row.case: row for row in suite.rows}
    assert (rows["scenes/average"].status, rows["scenes/average"].reason) == ("skipped", "skipped: scenes/near")
    assert rows["scenes/without"].status == "measured"


def test_means_of_what_does_not_fit_together_are_refused() -> None:
    one = Row("a", "r", "m", "measured", (1.0, 2.0), better="lower")
    for other in (replace(one, values=(1.0,)), replace(one, better="higher")):
        with pytest.raises(UserError, match="must agree in what is better and in the number of seeds"):
            evaluation._mean_row(WITHOUT, [one, other], "quick")
    with pytest.raises(UserError, match='margins: not all of its cases have a baseline "short"'):
        evaluation._mean_row(MEAN, [one, one], "quick")


# -- one case ------------------------------------------------------------------------------------------------------


def row_of(case: Case, folder: Path) -> Row:
    return evaluation._Scorer(Registry(), "quick", folder).row(case, lambda text: None)


CASE = Case(
    name="probe/case",
    recipe="probe/recipe",
    metric={"name": "probe/mean"},
    better="lower",
    n={"quick": 200},
    published=(Published(0.1, "somewhere", "memory"),),
    bar={"quick": 5.0},
    seeds={"quick": 2},
)


def test_a_case_is_trained_scored_and_used_again(tmp_path: Path, monkeypatch) -> None:
    read = evaluation.read_recipe
    monkeypatch.setattr(
        evaluation, "read_recipe",
        lambda name, registry, overrides, budget: read({**MLE_EXAMPLE, "budgets": {"quick": {}}}, registry,
                                                       [*overrides, watched_by()], budget),
    )  # fmt: skip
    row = row_of(CASE, tmp_path)
    assert row.status == "pass"
    assert len(row.values) == 2
    assert row.values[0] != row.values[1]
    assert row.spread > 0
    again = row_of(CASE, tmp_path)
    assert again.values == row.values
    missed = Case(**{**vars(CASE), "bar": {"quick": 1e-9}})
    assert row_of(missed, tmp_path).status == "miss"
    suite = evaluation.Suite("probe", "quick", (row,), evaluation.hardware())
    page = write_suite(suite, tmp_path / "page.html").read_text()
    assert "class=quiet>0.1, somewhere (memory)" in page
    assert plain(row)["values"] == list(row.values)


def test_a_case_may_change_its_recipe_and_average_over_learning(tmp_path: Path, monkeypatch) -> None:
    read = evaluation.read_recipe
    own = {
        "metrics": [{"name": "probe/mean", "label": label, "every": 2, "n": n} for label, n in (("a", 50), ("b", 9))]
    }
    monkeypatch.setattr(
        evaluation, "read_recipe",
        lambda name, registry, overrides, budget: read({**MLE_EXAMPLE, **own, "budgets": {"quick": {}}}, registry,
                                                       [*overrides, watched_by()], budget),
    )  # fmt: skip
    changes = {
        "metric": {"name": "probe/mean", "label": "a"}, "baselines": {"other": {"label": "b", "score": "b"}}, "last": 3,
        "settings": {"budget.steps": 8}, "seeds": {},
    }  # fmt: skip
    case = Case(**{**vars(CASE), **changes})
    row = row_of(case, tmp_path)
    (run,) = tmp_path.iterdir()
    assert "steps-8" in run.name
    logged = [r["scores"]["a"]["value"] for r in read_log(run / "metrics.jsonl") if "scores" in r]
    assert len(logged) == 4
    assert row.mean == pytest.approx(sum(logged[-3:]) / 3)
    assert row.protocol["steps"] == [4, 6, 8]
    assert set(row.baselines) == {"other"}
    with pytest.raises(UserError, match="4 times during training, but 5 evaluations are needed"):
        row_of(replace(case, last=5), tmp_path)


def test_a_case_whose_needs_are_not_met_says_so() -> None:
    registry = Registry()
    assert "needs data:probe/nothing" in evaluation.unmet(("data:probe/nothing",), registry)
    assert evaluation.unmet(("module:no_such_package",), registry) == "needs the package no_such_package"
    assert evaluation.unmet(("module:torch",), registry) is None
    with pytest.raises(UserError, match="unknown need"):
        evaluation.unmet(("moon",), registry)
    skipped = Case(**{**vars(CASE), "needs": {"quick": ("data:probe/nothing",)}})
    row = row_of(skipped, Path("unused"))
    assert row.status == "skipped"
    assert "probe/nothing" in row.reason
