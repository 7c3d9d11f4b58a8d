"""Discovery: one bad plugin harms no other, nothing heavy is imported, errors name the culprit."""

from __future__ import annotations

import inspect
import json
import logging
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ebmsuite import hookspecs
from ebmsuite.builtin.examples import MLE_EXAMPLE
from ebmsuite.errors import DataError, PluginError, UnknownName
from ebmsuite.evaluation.report import write_report
from ebmsuite.experiment.checkpoints import checkpoint_steps
from ebmsuite.experiment.run import read_log
from ebmsuite.experiment.train import train
from ebmsuite.hookspecs import KINDS, Plugin, hookimpl
from ebmsuite.plugins.discovery import Plugins
from ebmsuite.plugins.registry import Registry
from ebmsuite.plugins.testing import entry_point, isolated_plugins, watched_by

__all__ = ["isolated_plugins"]

GOOD = """
    from ebmsuite.hookspecs import Component, hookimpl
    ebm_api = 1
    @hookimpl
    def ebm_energies():
        return [Component("{name}/net", "nowhere:net", "a net")]
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, text: str) -> str:
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        return name

    return write


def test_a_plugin_that_raises_harms_no_other(isolated_plugins, module, caplog) -> None:
    plugins = isolated_plugins(
        entry_point("bad", module("p_bad", "raise RuntimeError('boom')"), "bad-dist"),
        entry_point("good", module("p_good", GOOD.format(name="good")), "good-dist"),
    )
    with caplog.at_level(logging.WARNING, "ebmsuite"):
        plugins.load_all()
    assert [c.name for c in plugins.components("good", "energy")] == ["good/net"]
    record = plugins.record("bad")
    assert (record.state, record.error) == ("failed", "RuntimeError: boom")
    (line,) = [r.message for r in caplog.records]
    assert "bad-dist" in line
    assert "EBMSUITE_PLUGINS=-bad" in line


def test_a_misspelt_hook_fails_its_own_plugin_only(isolated_plugins, module) -> None:
    misspelt = GOOD.format(name="typo").replace("ebm_energies", "ebm_enegies")
    plugins = isolated_plugins(
        entry_point("typo", module("p_typo", misspelt)),
        entry_point("good", module("p_good2", GOOD.format(name="good"))),
    )
    plugins.load_all()
    assert "did you mean ebm_energies?" in plugins.record("typo").error
    assert plugins.record("good").state == "ok"
    assert not [i for i in plugins.manager.get_plugins() if getattr(i, "__name__", "") == "p_typo"]


def test_a_raising_hook_is_isolated(isolated_plugins, module) -> None:
    text = GOOD.format(name="half") + "    @hookimpl\n    def ebm_metrics():\n        return 1 / 0\n"
    plugins = isolated_plugins(entry_point("half", module("p_half", text)))
    plugins.load_all()
    assert plugins.record("half").state == "failed"
    assert plugins.components("half", "energy") == []


@pytest.mark.parametrize("api", ["ebm_api = 2", ""])
def test_another_plugin_api_is_incompatible(isolated_plugins, module, api) -> None:
    text = GOOD.format(name="old").replace("ebm_api = 1", api)
    plugins = isolated_plugins(entry_point("old", module(f"p_old{len(api)}", text)))
    plugins.load_all()
    assert plugins.record("old").state == "incompatible"


def test_selection_before_import(isolated_plugins, module) -> None:
    found = [entry_point(n, module(f"p_{n}", GOOD.format(name=n))) for n in ("one", "two", "three")]
    assert isolated_plugins(*found, select="one,three").names() == ["core", "one", "three"]
    plugins = isolated_plugins(*found, select="-two")
    plugins.load_all()
    assert plugins.record("two").state == "disabled"
    assert "p_two" not in sys.modules


def test_two_distributions_of_one_name(isolated_plugins, module, caplog) -> None:
    found = [
        entry_point("same", module("p_same1", GOOD.format(name="same")), "dist-a"),
        entry_point("same", module("p_same2", GOOD.format(name="same")), "dist-b"),
    ]
    plugins = isolated_plugins(*found)
    assert {r.state for r in plugins.records if r.name == "same"} == {"duplicate"}
    with pytest.raises(UnknownName, match=r"dist-a and dist-b"):
        Registry(plugins).get("energy", "same/net")
    chosen = isolated_plugins(*found, select="-dist-b:same")
    assert Registry(chosen).get("energy", "same/net").name == "same/net"


def test_nobody_takes_the_place_of_the_core(isolated_plugins, module) -> None:
    plugins = isolated_plugins(entry_point("core", module("p_core", GOOD.format(name="x")), "impostor"))
    plugins.load_all()
    assert [(r.distribution, r.state) for r in plugins.records] == [
        ("ebmsuite", "ok"),
        ("impostor", "duplicate"),
    ]


def test_strict_raises(isolated_plugins, module, monkeypatch) -> None:
    monkeypatch.setenv("EBMSUITE_STRICT_PLUGINS", "1")
    plugins = isolated_plugins(entry_point("bad", module("p_strict", "import no_such_module"), "bad-dist"))
    with pytest.raises(PluginError, match="bad-dist") as error:
        plugins.load_all()
    assert isinstance(error.value.__cause__, ModuleNotFoundError)


@pytest.mark.parametrize("name", ["other/net", "net"])
def test_names_bear_the_prefix_of_their_plugin(isolated_plugins, module, name) -> None:
    text = GOOD.format(name="mine").replace("mine/net", name)
    plugins = isolated_plugins(entry_point("mine", module(f"p_mine_{len(name)}", text)))
    plugins.load_all()
    assert 'must have the prefix "mine/"' in plugins.record("mine").error


def test_a_name_registered_twice(isolated_plugins, module) -> None:
    text = GOOD.format(name="twice").replace('"a net")]', '"a net")] * 2')
    plugins = isolated_plugins(entry_point("twice", module("p_twice", text), "twice-dist"))
    plugins.load_all()
    assert "registered twice, by twice-dist" in plugins.record("twice").error


def test_a_class_that_inherits_the_specs_is_a_plugin(isolated_plugins, module) -> None:
    text = """
        from ebmsuite.hookspecs import Component, Plugin, hookimpl
        class Mine(Plugin):
            ebm_api = 1
            @hookimpl
            def ebm_energies(self):
                return [Component("mine/net", "nowhere:net", "a net")]
    """
    plugins = isolated_plugins(entry_point("mine", module("p_class", text) + ":Mine"))
    assert [c.name for c in plugins.components("mine", "energy")] == ["mine/net"]


@pytest.mark.slow
def test_overrides_are_checked_by_mypy(tmp_path: Path) -> None:
    file = tmp_path / "typed_plugin.py"
    file.write_text(
        textwrap.dedent("""
        from ebmsuite.hookspecs import Plugin, hookimpl
        class Mine(Plugin):
            @hookimpl
            def ebm_energies(self) -> list[int]:
                return [1]
    """)
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(file)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert 'Return type "list[int]" of "ebm_energies" incompatible' in done.stdout


def test_one_raising_run_time_hook_hides_no_other(isolated_plugins) -> None:
    called = []

    class Bad:
        @hookimpl
        def ebm_run_end(self, run, outcome):
            raise ValueError("boom")

    class Good:
        @hookimpl
        def ebm_run_end(self, outcome):
            called.append(outcome)

    plugins = isolated_plugins()
    plugins.add(Bad(), "bad")
    plugins.add(Good(), "good")
    with pytest.raises(PluginError, match='plugin "bad" failed in ebm_run_end: ValueError: boom; disable it with EBM'):
        plugins.call("ebm_run_end", run=None, outcome="finished")
    assert called == ["finished"]
    plugins.add(Bad(), "watch:bad")
    plugins.remove(plugins.manager.get_plugin("bad"))
    with pytest.raises(
        PluginError, match=r'callback "bad" failed in .*: boom; disable it with \{name: bad, enabled: false'
    ):
        plugins.call("ebm_run_end", run=None, outcome="finished")


BYSTANDER = """
from ebmsuite.errors import DataError, PluginError
from ebmsuite.hookspecs import Component, hookimpl
ebm_api = 1
calls = []

@hookimpl
def ebm_callbacks():
    return [Component("other/callback", "builtins:object", "a callback")]

@hookimpl
def {hook}():
    calls.append(1)
    {error}
"""


def train_beside(plugins, tmp_path: Path, *changes: str, **recipe: object) -> list[dict]:
    """Train beside a plugin "other"; the events of the run."""
    small = {**MLE_EXAMPLE, "budget": {"steps": 6, "batch": 4}, **recipe}
    changes = (watched_by(), "log.every=2", "checkpoint.every=4", *changes)
    run = train(small, *changes, out=tmp_path / "run", registry=Registry(plugins))
    return [row for row in read_log(run / "metrics.jsonl") if "event" in row]


@pytest.mark.parametrize(
    ("hook", "error", "said", "step"),
    [
        ("ebm_step_end", "raise ValueError('boom')", "ValueError: boom", 1),
        ("ebm_logged", "{}['gap']", "KeyError: 'gap'", 2),
        ("ebm_run_start", "raise PluginError('no server')", "PluginError: no server", 0),
        ("ebm_checkpoint_saved", "open('/no/such/file')", "FileNotFoundError", 4),
        ("ebm_run_end", "1 / 0", "ZeroDivisionError", 6),
    ],
)
def test_a_plugin_that_a_run_does_not_use_cannot_end_it(
    isolated_plugins, module, tmp_path, caplog, hook, error, said, step
) -> None:
    name = module(f"p_bystander_{hook}", BYSTANDER.format(hook=hook, error=error))
    plugins = isolated_plugins(entry_point("other", name))
    with caplog.at_level(logging.WARNING, "ebmsuite"):
        (event,) = train_beside(plugins, tmp_path)
    (line,) = [r.message for r in caplog.records]
    assert f'plugin "other" failed in {hook}: {said}' in line
    assert (event["event"], event["plugin"], event["hook"], event["step"]) == ("hook disabled", "other", hook, step)
    assert said in event["reason"]
    assert len(sys.modules[name].calls) == 1
    assert f"plugin other: {hook} failed" in write_report(tmp_path / "run").read_text()


@pytest.mark.parametrize(
    ("changes", "recipe"),
    [
        ((), {"recipe": "other/mine"}),
        (('watch=[{name: other/callback}]',), {}),
        (('metrics=[{name: other/mean}]',), {}),
    ],
)  # fmt: skip
def test_a_plugin_that_the_recipe_names_ends_the_run(isolated_plugins, module, tmp_path, changes, recipe) -> None:
    text = BYSTANDER.format(hook="ebm_logged", error="raise ValueError('boom')") + textwrap.dedent("""
        @hookimpl
        def ebm_metrics():
            return [Component("other/mean", "ebmsuite_probe.trainers:MeanDistance", "a metric")]
    """)
    plugins = isolated_plugins(entry_point("other", module(f"p_named_{len(changes)}_{len(recipe)}", text)))
    with pytest.raises(PluginError, match='plugin "other" failed in ebm_logged: ValueError: boom'):
        train_beside(plugins, tmp_path, *changes, **recipe)
    assert checkpoint_steps(tmp_path / "run" / "checkpoints") == [0]  # from where --resume goes on


def test_a_disabled_hook_is_still_in_the_log_after_a_rollback(isolated_plugins, module, tmp_path) -> None:
    class Back:
        asked = False

        @hookimpl
        def ebm_logged(self, run):
            if run.step == 4 and not self.asked:
                self.asked = True
                run.ask_rollback("a test")

    name = module("p_bystander_back", BYSTANDER.format(hook="ebm_step_end", error="raise ValueError('boom')"))
    plugins = isolated_plugins(entry_point("other", name))
    plugins.add(Back(), "back")
    events = train_beside(plugins, tmp_path)
    assert sorted(e["event"] for e in events) == ["hook disabled", "rollback"]
    assert len(sys.modules[name].calls) == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("raise OSError(28, 'No space left on device', 'scores.csv')", OSError),
        ("raise OSError(122, 'Disk quota exceeded', 'scores.csv')", OSError),
        ("raise DataError('scores.csv: cannot be written') from OSError(28, 'No space left on device')", DataError),
    ],
)
def test_a_full_disk_is_no_fault_of_a_plugin(isolated_plugins, module, tmp_path, error, kind) -> None:
    text = BYSTANDER.format(hook="ebm_logged", error=error)
    plugins = isolated_plugins(entry_point("other", module(f"p_full_{len(error)}", text)))
    with pytest.raises(kind, match=r"scores\.csv") as raised:
        train_beside(plugins, tmp_path)
    assert not isinstance(raised.value, PluginError)


@pytest.mark.parametrize("used", [True, False])
def test_a_suite_ends_though_a_plugin_that_it_does_not_use_fails(isolated_plugins, module, caplog, used) -> None:
    text = BYSTANDER.format(hook="ebm_suite_end", error="raise ValueError('boom')")
    plugins = isolated_plugins(entry_point("other", module(f"p_suite_{used}", text)))
    plugins.load_all()
    if used:
        with pytest.raises(PluginError, match='plugin "other" failed in ebm_suite_end'):
            plugins.call("ebm_suite_end", ["toy", "other"], suite=None, folder=None)
    else:
        plugins.call("ebm_suite_end", ["toy"], suite=None, folder=None)
        assert 'plugin "other" failed in ebm_suite_end: ValueError: boom' in caplog.text


def test_debug_shows_where_an_import_failed(tmp_path: Path) -> None:
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[ebmsuite]\nbroken = broken_plugin\nlacking = lacking_plugin\nhalf = half_plugin\n"
    )
    (tmp_path / "broken_plugin.py").write_text("value = undefined_name\n")
    (tmp_path / "lacking_plugin.py").write_text("import no_such_package\n")
    (tmp_path / "half_plugin.py").write_text(
        "from ebmsuite.hookspecs import hookimpl\nebm_api = 1\n@hookimpl\ndef ebm_tasks():\n    return 1 / 0\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])}
    for option in ((), ("--debug",)):
        done = subprocess.run(
            [sys.executable, "-m", "ebmsuite", "plugins", "list", *option],
            capture_output=True, text=True, check=True, env=environment,
        )  # fmt: skip
        assert done.stderr.count("WARNING: plugin") == 3
        for line in ("value = undefined_name", "import no_such_package", "return 1 / 0"):
            assert (line in done.stderr) == bool(option)


def test_every_hook_is_documented() -> None:
    hooks = {n: f for n, f in vars(Plugin).items() if n.startswith("ebm_")}
    assert set(KINDS.values()) <= hooks.keys()
    for name, function in hooks.items():
        text = inspect.getdoc(function) or ""
        assert len(text) > 30, f"{name} has no documentation"
        assert inspect.signature(function).return_annotation is not inspect.Signature.empty, f"{name} says no result"
    page = Path(hookspecs.__file__).parents[3] / "docs" / "plugins.md"
    missing = [n for n in hooks if f"`{n}`" not in page.read_text(encoding="utf-8")]
    assert not missing, f"docs/plugins.md says nothing of {missing}"


def test_unknown_names_say_what_exists(isolated_plugins, module) -> None:
    plugins = isolated_plugins(entry_point("good", module("p_good3", GOOD.format(name="good"))))
    registry = Registry(plugins)
    with pytest.raises(UnknownName, match="did you mean good/net"):
        registry.get("energy", "good/nett")
    with pytest.raises(UnknownName, match="pip install ebmsuite-video"):
        registry.get("energy", "video/stgconvnet")
    with pytest.raises(UnknownName, match=r'"langevin" is a sampler'):
        registry.get("energy", "langevin")
    with pytest.raises(UnknownName, match="installed: core, good"):
        registry.get("energy", "nobody/net")


def test_a_look_up_loads_its_own_plugin_alone(isolated_plugins, module) -> None:
    found = [entry_point(n, module(f"p_alone_{n}", GOOD.format(name=n))) for n in ("here", "there")]
    plugins = isolated_plugins(*found)
    Registry(plugins).get("energy", "here/net")
    assert "p_alone_here" in sys.modules
    assert "p_alone_there" not in sys.modules


CODE = """
import sys
sys.argv = ["ebm", *{arguments!r}]
from ebmsuite.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print([m for m in ("torch", "torchvision", "matplotlib", "accelerate") if m in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["plugins", "list"], ["list", "energy", "--json"]])
def test_looking_imports_nothing_heavy(arguments) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(arguments=arguments)], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip().splitlines()[-1] == "[]"


def test_plugins_list_json() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ebmsuite", "plugins", "list", "--json"], capture_output=True, text=True, check=True
    )
    rows = {r["name"]: r for r in json.loads(done.stdout)}
    assert rows["core"]["state"] == "ok"
    assert rows["core"]["offers"]["trainer"] >= 1
    assert rows["probe"]["distribution"] == "ebmsuite-probe"


def test_the_installed_plugins_load() -> None:
    plugins = Plugins()
    plugins.load_all()
    assert {r.state for r in plugins.records} == {"ok"}, [(r.name, r.error) for r in plugins.records]
