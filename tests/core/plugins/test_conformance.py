"""The conformance kit and the plugin template."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ebmsuite.builtin.examples import MLE_EXAMPLE
from ebmsuite.errors import UserError
from ebmsuite.experiment.recipe import read_recipe
from ebmsuite.plugins import conformance
from ebmsuite.plugins.discovery import installed
from ebmsuite.plugins.registry import Registry
from ebmsuite.plugins.template import write_plugin
from ebmsuite.plugins.testing import entry_point, isolated_plugins

__all__ = ["isolated_plugins"]


@pytest.mark.slow
def test_the_core_conforms() -> None:
    outcomes = conformance.check_plugin("core", fast=True)
    assert {o.state for o in outcomes} == {"ok"}, [o for o in outcomes if o.state != "ok"]


@pytest.mark.parametrize(
    ("write", "fits"),
    [
        (lambda self, x, path, batch=None: None, True),
        (lambda self, x, path, *more, **named: None, True),
        (lambda self, x, path: None, False),
        (lambda self, x, path, batch: None, False),
        (lambda self, x, path, *, batch=None: None, False),
    ],
)
def test_a_codec_writes_with_the_batch_of_its_events(write, fits: bool) -> None:
    """`write(x, path)` of older codecs is refused in one line, as a plugin's fault."""
    codec = type("Old", (), {"write": write})
    kit = conformance._Kit()
    kit.check("codec old", lambda: conformance._writes_with_a_batch("old", codec))
    (outcome,) = kit.outcomes
    assert outcome.state == ("ok" if fits else "failed")
    if not fits:
        assert outcome.detail.startswith('PluginError: codec "old": write(self, x, path')
        assert "must be write(self, x, path, batch=None)" in outcome.detail
        assert "\n" not in outcome.detail


@pytest.mark.slow
def test_the_kit_finds_what_is_wrong(monkeypatch) -> None:
    """A heavy plugin module, an energy that looks at other rows, a metric that is not zero on identical sets."""
    import ebmsuite_probe.trainers as probe

    from ebmsuite.nets.mlp import Quadratic

    def coupled(self, x, condition=None):
        return (self.log_b.exp() * (x - x.mean(0)).square()).sum(1)

    monkeypatch.setattr(Quadratic, "forward", coupled)
    outcomes = {o.check: o for o in conformance.check_plugin("core", fast=True)}
    assert "depends on the other rows" in outcomes["mle-example learns a step"].detail
    monkeypatch.undo()

    registry = Registry()
    recipe = read_recipe({**MLE_EXAMPLE, "metrics": [{"name": "probe/mean", "n": 8}]}, registry)
    conformance._learns(recipe, registry, set())  # the distance of two sets: nothing says that it is 0 on equal ones
    monkeypatch.setattr(probe.MeanDistance, "__call__", lambda *a: probe_score(1.0))
    with pytest.raises(AssertionError, match="of a set against itself is 1"):
        conformance._learns(recipe, registry, {"probe/mean"})
    monkeypatch.setattr(probe.MeanDistance, "__call__", lambda *a: probe_score(float("nan")))
    with pytest.raises(AssertionError, match="probe/mean is nan"):
        conformance._learns(recipe, registry, set())

    done = subprocess.run([sys.executable, "-c", HEAVY], capture_output=True, text=True, check=False)
    assert "imports ['torch']" in done.stdout, done.stderr


def probe_score(value: float):
    from ebmsuite.scores import Score

    return Score(value)


HEAVY = """
import sys, pathlib, tempfile
folder = pathlib.Path(tempfile.mkdtemp())
(folder / "heavy_plugin.py").write_text("import torch\\nebm_api = 1\\n")
info = folder / "heavy-1.0.dist-info"
info.mkdir()
(info / "METADATA").write_text("Metadata-Version: 2.1\\nName: heavy\\nVersion: 1.0\\n")
(info / "entry_points.txt").write_text("[ebmsuite]\\nheavy = heavy_plugin\\n")
sys.path.insert(0, str(folder))
import os
os.environ["PYTHONPATH"] = str(folder)
from ebmsuite.plugins.conformance import check_plugin
print([o.detail for o in check_plugin("heavy", fast=True) if o.state == "failed"])
"""


SCORED = {
    "metrics": [{"name": "probe/mean", "every": 4}], "checkpoint": {"every": 4, "best": "probe/mean"},
}  # fmt: skip


@pytest.mark.parametrize(
    "recipe",
    [
        {**MLE_EXAMPLE, **SCORED},
        {**MLE_EXAMPLE, "checkpoint": {"every": 3, "best": "x", "better": "higher"},
         "metrics": [{"name": "probe/mean", "every": 6, "label": "x"}]},
        {**MLE_EXAMPLE, **SCORED, "budget": {"steps": 30, "batch": 9}, "compute": {"devices": 3}},
    ],
)  # fmt: skip
def test_the_kit_makes_any_recipe_small(recipe) -> None:
    small = conformance._small(recipe, Registry())
    assert (small.budget.steps, small.checkpoint.best) == (2, None)
    assert [m["n"] for m in small.metrics] == [24]


def test_the_recipe_of_the_page_passes_the_kit(isolated_plugins, monkeypatch) -> None:
    root = Path(__file__).parents[3]
    monkeypatch.syspath_prepend(root / "examples" / "ebmsuite-tabular" / "src")
    page = (root / "docs" / "plugins.md").read_text(encoding="utf-8")
    raw = yaml.safe_load(page.split("## A recipe\n\n```yaml\n")[1].partition("```")[0])
    assert raw["checkpoint"]["best"]
    registry = Registry(isolated_plugins(entry_point("tabular", "ebmsuite_tabular.plugin:Tabular")))
    assert conformance._small(raw, registry).checkpoint.best is None


BAD_EXAMPLES = """
from ebmsuite.builtin.examples import MLE_EXAMPLE
from ebmsuite.hookspecs import Component, hookimpl

ebm_api = 1
GOOD = {**MLE_EXAMPLE, "recipe": "good", "trainer": {"name": "bad/good"}}
EXAMPLES = {"good": GOOD, "key": {**GOOD, "traner": {}}, "lacking": {**GOOD, "phases": {}}, "text": "x", "none": None}


@hookimpl
def ebm_trainers():
    prefix = "ebmsuite.methods.mle:MaximumLikelihood"
    return [Component(f"bad/{name}", prefix, name, example=example) for name, example in EXAMPLES.items()]
"""


def test_a_bad_trainer_example_is_one_failed_check(tmp_path: Path, isolated_plugins, monkeypatch) -> None:
    """The other checks go on, those of the other trainers too."""
    (tmp_path / "p_bad_examples.py").write_text(BAD_EXAMPLES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(conformance, "_registers_without_torch", lambda name: None)
    registry = Registry(isolated_plugins(entry_point("bad", "p_bad_examples")))
    monkeypatch.setattr(conformance, "Registry", lambda: registry)
    outcomes = {o.check: o for o in conformance.check_plugin("bad", fast=True)}
    failed = {check: o.detail for check, o in outcomes.items() if o.state == "failed"}
    assert failed.keys() == {f"trainer bad/{name} has an example" for name in ("key", "lacking", "text", "none")}
    assert "traner: no such key" in failed["trainer bad/key has an example"]
    assert failed["trainer bad/none has an example"] == "example= is missing"
    assert outcomes["good learns a step"].state == "ok"


@pytest.mark.slow
def test_a_new_plugin_works_as_it_is_written(tmp_path: Path, monkeypatch) -> None:
    folder = write_plugin("fresh", tmp_path / "ebmsuite-fresh")
    assert "{{" not in "".join(p.read_text() for p in folder.rglob("*") if p.is_file())
    info = folder / "src" / "ebmsuite_fresh-0.1.0.dist-info"  # as an installer would leave it
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ebmsuite-fresh\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[ebmsuite]\nfresh = ebmsuite_fresh.plugin\n")
    monkeypatch.setenv("PYTHONPATH", str(folder / "src"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder / "tests")],
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
    with pytest.raises(UserError, match="exists already"):
        write_plugin("fresh", folder)


def test_the_installed_plugins_are_one_manager() -> None:
    assert Registry().plugins is installed()
