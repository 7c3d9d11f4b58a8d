"""The command line: what it prints, what it refuses, in how many lines."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from safetensors.numpy import load_file

import ebmsuite
from ebmsuite.builtin.examples import MLE_EXAMPLE, VAE_EXAMPLE
from ebmsuite.callbacks import progress
from ebmsuite.cli import main
from ebmsuite.errors import UserError
from ebmsuite.experiment.train import train
from ebmsuite.plugins.discovery import FIRST_PARTY
from ebmsuite.plugins.testing import watched_by


def ebm(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    said = capsys.readouterr()
    return int(end.value.code or 0), said.out, said.err


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = {**MLE_EXAMPLE, "metrics": [{"name": "probe/mean", "n": 100}]}
    return train(recipe, watched_by("log"), "log.every=2", out=tmp_path_factory.mktemp("cli") / "run")


def test_train_and_resume(capsys, tmp_path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(json.dumps({**MLE_EXAMPLE, "recipe": "mine"}))
    run = tmp_path / "run"
    code, out, err = ebm(
        capsys, "train", str(recipe), "budget.steps=6", "--out", str(run), "--seed", "5", "--device", "cpu"
    )
    assert (code, out) == (0, f"{run}\n")
    assert "mine: 6 steps of 16 on cpu, 1 process" in err.replace("\n", "")
    assert "seed: 5" in (run / "recipe.yaml").read_text()
    code, _, err = ebm(capsys, "train", "--resume", str(run), "--quiet")
    assert (code, err) == (0, "")
    code, _, err = ebm(capsys, "train", "--resume", str(run))
    assert code == 0
    assert "all 6 steps are done; add budget.steps=N" in err


def test_sample_writes_what_the_ending_says(capsys, trained, tmp_path) -> None:
    for name in ("x.npy", "x.safetensors"):
        code, out, _ = ebm(capsys, "sample", str(trained), "-n", "7", "--out", str(tmp_path / name))
        assert (code, out) == (0, f"{tmp_path / name}\n")
    x = np.load(tmp_path / "x.npy", allow_pickle=False)
    assert x.shape == (7, 1)
    assert np.array_equal(load_file(tmp_path / "x.safetensors")["x"], x)
    code, _, err = ebm(capsys, "sample", str(trained), "--out", str(tmp_path / "x.png"))
    assert code == 2
    assert "can be written as .safetensors or .npy" in err


def test_evaluate_a_run(capsys, trained, tmp_path) -> None:
    file = tmp_path / "numbers.json"
    code, out, _ = ebm(capsys, "evaluate", str(trained), "--json", str(file))
    assert code == 0
    assert "probe/mean" in out
    (row,) = json.loads(file.read_text())["rows"]
    assert row["metric"] == "probe/mean"
    assert row["protocol"]["n"] == 100


def test_evaluate_a_run_by_another_metric(capsys, trained) -> None:
    before = (trained / "recipe.yaml").read_text()
    code, out, _ = ebm(capsys, "evaluate", str(trained), "probe/mean", "n=7", "label=few", "--checkpoint", "12")
    assert code == 0
    assert out.splitlines()[1].startswith("few")
    assert (trained / "recipe.yaml").read_text() == before
    code, _, err = ebm(capsys, "evaluate", "core", "probe/mean")
    assert code == 2
    assert "a metric or checkpoint needs a run folder" in err


# -- the same from Python -------------------------------------------------------------------------------------------


def test_apply_from_python_is_the_command(capsys, trained, tmp_path) -> None:
    given = tmp_path / "given.txt"
    given.write_text("one\ntwo\n")
    names = ("command", "run", "settings", "model")
    command, run, settings, model = (tmp_path / f"{name}.txt" for name in names)
    code, out, _ = ebm(
        capsys, "apply", str(trained), "probe/count", "n=5", "--input", str(given), "--out", str(command), "--seed", "4"
    )
    assert (code, out) == (0, f"lines: 7\nstep: 12\n{command}\n")
    facts = ebmsuite.apply(trained, "probe/count", given, out=run, seed=4, n=5)
    assert facts == {"lines": 7, "step": 12}
    ebmsuite.apply(trained, "probe/count", str(given), out=str(settings), seed=4, settings={"n": 5})
    ebmsuite.apply(ebmsuite.load(trained), "probe/count", given, out=model, seed=4, n=5)
    assert {f.read_text() for f in (run, settings, model)} == {command.read_text()}


@pytest.mark.parametrize(
    ("task", "given", "message"),
    [
        ("probe/cuont", {}, 'no task "probe/cuont"; did you mean probe/count'),
        ("probe/count", {"m": 1}, r"probe/count.m: task .* has no such setting; its settings are: n"),
        ("probe/count", {"n": "x"}, "probe/count.n: expected a whole number"),
        ("probe/count", {"input": "nowhere.csv"}, "nowhere.csv: no such file or folder"),
        ("probe/count", {"checkpoint": "7"}, 'no checkpoint "7"'),
        ("probe/silent", {}, 'task "probe/silent" must give a mapping of facts, got None'),
    ],
)
def test_apply_refuses_what_does_not_fit(trained, tmp_path, task, given, message) -> None:
    with pytest.raises(UserError, match=message):
        ebmsuite.apply(trained, task, out=tmp_path / "out.txt", **given)
    assert list(tmp_path.iterdir()) == []


def test_apply_to_a_loaded_model_takes_no_checkpoint(trained, tmp_path) -> None:
    with pytest.raises(UserError, match="this model is loaded already"):
        ebmsuite.apply(ebmsuite.load(trained), "probe/count", out=tmp_path / "x", checkpoint="12")


def test_diagnose_and_evaluate_from_python(trained) -> None:
    diagnosis, page = ebmsuite.diagnose(trained, chains=8, times=2, log_z=False)
    assert [m.steps for m in diagnosis.runs[0].moments][-1] == 2 * diagnosis.steps
    assert page == trained / "diagnosis.html"
    (row,) = ebmsuite.evaluate(trained, metric={"name": "probe/mean", "n": 7}).rows
    assert row.protocol["n"] == 7


@pytest.mark.parametrize("name", ["lr=0.1/recipe.yaml", "a=b.yml", "mine=1"])
def test_a_recipe_may_have_an_equals_sign_in_its_path(capsys, monkeypatch, tmp_path, name) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(json.dumps({**MLE_EXAMPLE, "recipe": "mine"}))
    code, _, err = ebm(capsys, "train", name, watched_by(), "budget.steps=1", "--out", "run")
    assert (code, err) == (0, "")
    assert "steps: 1" in Path("run/recipe.yaml").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lr=0.1/recipe.yaml"], "lr=0.1/recipe.yaml: no such file"),
        (["budget.steps=1", "sweep=2.yml"], "sweep=2.yml: no such file"),
        (["toy/rings", "path=list.yaml"], 'no key "path"'),
        (["a=1.yaml", "b=2.yaml"], "one recipe at a time, got a=1.yaml and b=2.yaml"),
    ],
)
def test_what_is_a_recipe_and_what_a_setting(capsys, arguments, message) -> None:
    code, _, err = ebm(capsys, "train", *arguments)
    assert code == 2
    assert message in err


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ({"gap": 0.25, "loss/energy": 1.0}, "gap +0.25"),
        ({"loss/energy": 1.5, "loss/flow": -2.0, "accuracy": 0.5}, "loss/energy +1.5  loss/flow -2"),
        ({"elbo": float("nan")}, "elbo +nan"),
        ({}, ""),
    ],
)
def test_the_progress_line_shows_what_is_logged(row, line) -> None:
    assert progress.shown(row) == line


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_of_a_trainer_without_a_gap(monkeypatch, capsys, tmp_path, terminal) -> None:
    monkeypatch.setattr(progress, "Console", lambda file: Console(file=file, force_terminal=terminal, width=120))
    train(VAE_EXAMPLE, watched_by("progress"), "log.every=1", out=tmp_path / "run")
    said = capsys.readouterr().err
    assert "gap" not in said
    assert "reconstruction +" in said
    assert "kl +" in said


def test_report(capsys, trained) -> None:
    code, out, _ = ebm(capsys, "report", str(trained))
    assert code == 0
    page = Path(out.strip()).read_text()
    assert "mle-example" in page
    assert "<svg" in page
    assert "probe/mean" in page
    assert "src=" not in page.replace('src="data:', "")  # self-contained


def test_list_and_show(capsys) -> None:
    code, out, _ = ebm(capsys, "list", "sampler", "--json")
    assert code == 0
    assert ("sampler", "langevin") in [(row["kind"], row["name"]) for row in json.loads(out)]
    code, out, _ = ebm(capsys, "show", "langevin")
    assert "gradient_weight  float | Schedule | None  = None" in out
    assert "NeurIPS 2019" in out
    code, out, _ = ebm(capsys, "show", "mlp")  # every kind that bears the name
    assert "energy mlp" in out
    assert "generator mlp" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "nowhere/nothing"], 'no recipe "nowhere/nothing": no plugin "nowhere" is installed'),
        (["train", "audio/speech"], "pip install ebmsuite-audio"),
        (["train", "missing.yaml"], "missing.yaml: no such file"),
        (["train"], "name a recipe"),
        (["train", "a", "b"], "one recipe at a time"),
        (["train", "--resume", "nowhere"], "nowhere: not a run folder"),
        (["trian"], 'no command "trian"; did you mean train?'),
        (["train", "--budgte", "quick"], "No such option"),
        (["sample", "nowhere", "--out", "x.npy"], "nowhere: not a run folder"),
        (["evaluate", "nowhere"], 'no plugin "nowhere" is installed'),
        (["list", "energie"], 'no kind "energie"; did you mean energy?'),
        (["list", "--domain", "audio"], "pip install ebmsuite-audio"),
        (["show", "langevinn"], 'no component is called "langevinn"; did you mean langevin or'),
        (["report", "nowhere"], "nowhere: not a run folder"),
        (["plugins", "new", "Not-A-Name"], "lower-case Python identifier"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(capsys, monkeypatch, tmp_path, arguments, message) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(FIRST_PARTY, "audio", "ebmsuite-audio")  # a domain of the suite that is not installed
    code, out, err = ebm(capsys, *arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert err.startswith("ebm: ")
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback(capsys) -> None:
    with pytest.raises(UserError):
        main(["train", "nowhere/nothing", "--debug"])


def test_a_stopped_run_exits_1(capsys, tmp_path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(json.dumps({**MLE_EXAMPLE, "watch": [{"name": "guard", "gap": 0.0, "events": 1}]}))
    code, _, err = ebm(capsys, "train", str(recipe), "--out", str(tmp_path / "run"))
    assert code == 1
    assert "diverged at step" in err.splitlines()[-1]
