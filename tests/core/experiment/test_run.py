"""Runs: killed at any moment and resumed, diverged and rolled back, on one process and on two."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from ebmsuite_probe.trainers import MeanDistance
from safetensors.torch import load_file

from ebmsuite.builtin.examples import MLE_EXAMPLE
from ebmsuite.errors import DataError, Interrupted, MissingData, RecipeError, Stopped, UserError
from ebmsuite.experiment.checkpoints import checkpoint_steps, newest
from ebmsuite.experiment.recipe import read_recipe
from ebmsuite.experiment.run import read_log
from ebmsuite.experiment.train import train
from ebmsuite.hookspecs import hookimpl
from ebmsuite.model import load
from ebmsuite.plugins.conformance import interrupted_run, on_two_processes, same_end
from ebmsuite.plugins.registry import Registry
from ebmsuite.plugins.testing import watched_by

registry = Registry()
registry.plugins.load_all()
EXAMPLES = {
    c.name: dict(c.example)
    for _, c in registry.list("trainer")
    if c.example is not None
}  # fmt: skip
QUIET = ("log.every=5", "checkpoint.every=5", "checkpoint.keep=2", watched_by("log", "guard"))


def rows(run: Path) -> list[dict]:
    return [{k: v for k, v in r.items() if k != "seconds"} for r in read_log(run / "metrics.jsonl")]


def same_run(a: Path, b: Path) -> None:
    same_end(a, b)
    assert rows(a) == rows(b)


def test_chains_that_a_trainer_starts_must_be_proposals(tmp_path: Path) -> None:
    started = 0
    for name, example in EXAMPLES.items():
        phases = example.get("phases", {})
        for phase in (n for n, d in registry.resolve("trainer", name).draws.items() if d.proposal and n in phases):
            chains = {"name": "noise", "density": {"name": "gaussian"}}
            changed = {**example, "phases": {**phases, phase: {**phases[phase], "chains": chains}}}
            with pytest.raises(RecipeError, match=rf'phases.{phase}.chains: the trainer "{name}" supplies the initial'):
                train(changed, *QUIET, out=tmp_path / f"{name}-{phase}")
            started += 1
    assert started >= 7


@pytest.mark.parametrize("name", sorted(EXAMPLES))
@pytest.mark.parametrize("step", [1, 7])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(name: str, step: int, tmp_path: Path) -> None:
    """Every registered trainer: players, EMA, optimisers, chains, generators, data order."""
    recipe = read_recipe(EXAMPLES[name], registry, QUIET)
    whole = train(EXAMPLES[name], *QUIET, out=tmp_path / "whole")
    assert checkpoint_steps(whole / "checkpoints") == [10, 12]
    same_run(whole, interrupted_run(recipe, tmp_path / "parts", step, registry))


KILLED = ("budget.steps=2000", "log.every=10", "checkpoint.every=100", watched_by("log", "guard"),
          "energy.lr=0.002")  # fmt: skip
KILLED_METRICS = "metrics=[{name: probe/mean, every: 150, n: 50}]"


@pytest.fixture(scope="module")
def never_killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 2,000 steps with scores, checkpoints and a log."""
    return train(MLE_EXAMPLE, *KILLED, KILLED_METRICS, out=tmp_path_factory.mktemp("whole") / "run")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_process_is_resumed_exactly(number: signal.Signals, never_killed: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(read_recipe(MLE_EXAMPLE, registry, [*KILLED, KILLED_METRICS]).as_yaml())
    run = tmp_path / "killed"
    command = [sys.executable, "-m", "ebmsuite", "train", str(recipe), "--out", str(run)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not checkpoint_steps(run / "checkpoints")[1:] and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    at = checkpoint_steps(run / "checkpoints")[-1]
    assert 0 < at < 2000
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
        # what a kill in the middle of writing leaves behind
        (run / "checkpoints" / ".step-99999999.part").mkdir()
        with (run / "metrics.jsonl").open("a") as log:
            log.write('{"step": 99999999, "ga')
    else:
        assert process.returncode == 130
        assert f"resume with: ebm train --resume {run}" in said
    train(resume=run)
    same_run(never_killed, run)
    assert not list((run / "checkpoints").glob(".*"))


def test_a_resume_after_the_end_changes_nothing(tmp_path: Path) -> None:
    run = train(MLE_EXAMPLE, *QUIET, out=tmp_path / "run")
    before = (newest(run) / "players.safetensors").read_bytes(), rows(run)
    train(resume=run)
    assert ((newest(run) / "players.safetensors").read_bytes(), rows(run)) == before
    train(None, "budget.steps=15", resume=run)  # and more steps go on from there
    assert checkpoint_steps(run / "checkpoints")[-1] == 15


def test_scores_are_made_once_and_stay(tmp_path: Path) -> None:
    metrics = "metrics=[{name: probe/mean, n: 20}]"
    run = train(MLE_EXAMPLE, metrics, watched_by("log"), out=tmp_path / "run")
    scored = rows(run)
    assert [r["step"] for r in scored if "scores" in r] == [12]
    train(resume=run)
    assert rows(run) == scored
    train(None, "budget.steps=14", resume=run)
    assert [r["step"] for r in rows(run) if "scores" in r] == [12, 14]


def test_watching_changes_nothing(tmp_path: Path) -> None:
    """Scores and more frequent checkpoints draw from generators of their own."""
    plain = train(MLE_EXAMPLE, watched_by(), out=tmp_path / "plain")
    watched = train(
        MLE_EXAMPLE, "metrics=[{name: probe/mean, every: 1, n: 20}]", "checkpoint.every=1", "log.every=1", watched_by(),
        out=tmp_path / "watched",
    )  # fmt: skip
    same_end(plain, watched)


ON_TIME = "metrics=[{name: probe/mean, every: 4, n: 20}]"


@pytest.mark.parametrize(
    ("step", "checkpoint"),
    [(4, 4), (8, 2), (12, 5)],  # a step with a checkpoint before its scores, one without, the last one
)
def test_a_signal_stops_a_metric(step: int, checkpoint: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The metric ends at once; the resumed run computes it again, and ends as an uninterrupted one."""
    every = f"checkpoint.every={checkpoint}"
    whole = train(MLE_EXAMPLE, ON_TIME, every, watched_by("log"), out=tmp_path / "whole")
    call, ended = MeanDistance.__call__, []

    def endless(self, model, data, rng, n):
        if model.step == step:
            for players in model.players.values():  # as a metric may leave the nets
                players.train()
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                model.sample(5, rng=rng)
            ended.append(step)
        return call(self, model, data, rng, n)

    monkeypatch.setattr(MeanDistance, "__call__", endless)
    run = tmp_path / "run"
    with pytest.raises(Interrupted, match=rf"interrupted at step {step} of 12; resume with: .* --resume {run}"):
        train(MLE_EXAMPLE, ON_TIME, every, watched_by("log"), out=run)
    assert ended == []
    assert checkpoint_steps(run / "checkpoints")[-1] == step
    assert [r["step"] for r in rows(run) if "scores" in r] == list(range(4, step, 4))
    monkeypatch.setattr(MeanDistance, "__call__", call)
    train(resume=run)
    same_run(whole, run)


def test_a_signal_before_a_metric_stops_before_it(tmp_path: Path) -> None:
    """In the last step too, after which nothing but the scores would follow."""
    whole = train(MLE_EXAMPLE, ON_TIME, watched_by("log"), out=tmp_path / "whole")
    same_run(whole, interrupted_run(read_recipe(MLE_EXAMPLE, registry, [ON_TIME, watched_by("log")]),
                                    tmp_path / "run", 12, registry))  # fmt: skip


# -- divergence ----------------------------------------------------------------------------------------------------

DIVERGING = {
    **MLE_EXAMPLE,
    "recipe": "diverging",
    "players": {"energy": {"name": "mlp", "width": 32}},
    "phases": {"negative": {"chains": {"name": "noise", "density": {"name": "uniform"}},
                            "sampler": {"name": "langevin", "gradient_weight": 1, "noise_scale": 0.01}, "steps": 20}},
    "optimisers": {"energy": {"name": "adam", "lr": 1.0}},
    "budget": {"steps": 60, "batch": 16},
    "watch": [{"name": "log"}, {"name": "guard", "gap": 1000.0, "lr_factor": 1e-4}],
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_no_trainer_leaves_a_run_that_diverged(name: str, tmp_path: Path) -> None:
    """Learning rates of 10,000: every method is rolled back until it learns, or stopped with the reason."""
    changes = ("log.every=2", "checkpoint.every=4", "budget.steps=24")
    example = {**EXAMPLES[name], "watch": [{"name": "log"}, {"name": "guard", "lr_factor": 1e-3}]}
    example["optimisers"] = {player: {"name": "adam", "lr": 1e4} for player in example["optimisers"]}
    with suppress(Stopped):
        train(example, *changes, out=tmp_path / "run")
    saved = newest(tmp_path / "run")
    for file in saved.glob("*.safetensors"):
        for key, value in load_file(file).items():
            assert not value.is_floating_point() or bool(torch.isfinite(value).all()), f"{file.name}: {key}"


@pytest.mark.slow
def test_a_divergence_is_rolled_back_and_survived(tmp_path: Path) -> None:
    run = train(DIVERGING, "log.every=2", "checkpoint.every=4", out=tmp_path / "run")
    (event,) = [r for r in rows(run) if "event" in r]
    assert event["event"] == "rollback"
    assert event["lr_factor"] == 1e-4
    assert event["to"] < event["step"]
    steps = [r["step"] for r in rows(run) if "event" not in r]
    assert steps == list(range(2, 61, 2))  # the diverged rows are gone
    assert all(abs(r["gap"]) < 1000 for r in rows(run) if "gap" in r)
    # and a run that is interrupted after the event makes the same decisions
    recipe = read_recipe(DIVERGING, registry, ["log.every=2", "checkpoint.every=4"])
    same_run(run, interrupted_run(recipe, tmp_path / "parts", 11, registry))


def test_a_hopeless_run_stops_and_says_why(tmp_path: Path) -> None:
    with pytest.raises(Stopped) as stop:
        train(DIVERGING, "watch.1.lr_factor=0.9", "watch.1.events=2", "log.every=2", out=tmp_path / "run")
    text = str(stop.value)
    assert "diverging diverged at step" in text
    assert "2 rollbacks" in text
    assert "optimisers.energy.lr" in text
    assert "trainer.data_noise" in text
    assert load(tmp_path / "run").step == 0  # the last good checkpoint stands


@pytest.mark.parametrize("new_stage", [False, True])
def test_a_gap_that_jumps_is_noticed_before_it_is_large(tmp_path: Path, new_stage: bool) -> None:
    """Energies that grow out of their usual range by far, still below every absolute bound.

    What is usual is that of a stage of learning: where a player has been reset it begins anew.
    """

    class Spoil:
        def __init__(self) -> None:
            self.done = False

        @hookimpl
        def ebm_step_end(self, run, step):
            if step == 61 and not self.done:
                self.done = True
                players = run.experiment.trainer.players
                if new_stage:
                    players.reset("energy")
                with torch.no_grad():
                    players["energy"].a.add_(30.0)

    callback = Spoil()
    registry.plugins.add(callback, "spoil")
    changes = ("budget.steps=80", "log.every=2", "checkpoint.every=20", "energy.lr=1e-4")
    try:
        run = train(MLE_EXAMPLE, *changes, watched_by("log", "guard"), out=tmp_path / "run", registry=registry)
    finally:
        registry.plugins.remove(callback)
    events = [r for r in rows(run) if "event" in r]
    if new_stage:
        assert not events
        assert max(abs(r["gap"]) for r in rows(run) if "gap" in r) > 20
        return
    (event,) = events
    assert event["to"] == 60
    assert event["step"] in (62, 64)
    assert "usually" in event["reason"]
    assert [r["step"] for r in rows(run) if "gap" in r] == list(range(2, 81, 2))


def test_numbers_that_are_not_finite_are_noticed(tmp_path: Path) -> None:
    with pytest.raises(Stopped, match=r"(gap|energy/data|loss/energy) is nan"):
        train(
            {**DIVERGING, "data": {"data": {"name": "normal", "sd": float("nan")}}}, "watch.1.events=1",
            out=tmp_path / "run",
        )  # fmt: skip


def test_a_hook_may_ask_for_a_stop(tmp_path: Path) -> None:
    class Enough:
        @hookimpl
        def ebm_logged(self, run, rows):
            if rows[-1][0] >= 6:
                run.ask_stop("that is enough")

    callback = Enough()
    registry.plugins.add(callback, "enough")
    try:
        with pytest.raises(Stopped, match="stopped at step 6: that is enough"):
            train(MLE_EXAMPLE, "log.every=2", watched_by(), out=tmp_path / "run", registry=registry)
    finally:
        registry.plugins.remove(callback)


# -- folders -------------------------------------------------------------------------------------------------------


def test_a_folder_is_not_written_over(tmp_path: Path) -> None:
    run = train(MLE_EXAMPLE, watched_by(), out=tmp_path / "run")
    with pytest.raises(UserError, match="already holds a run"):
        train(MLE_EXAMPLE, out=run)
    kept = {".lock", "checkpoints", "data.json", "fast.json", "recipe.yaml"}
    assert {p.name for p in run.iterdir()} - {"threads.json"} == kept


def test_bad_input_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        train(MLE_EXAMPLE, "data.split=nowhere", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_stored_recipe_trains_the_same_run(tmp_path: Path) -> None:
    one = train(MLE_EXAMPLE, "seed=3", watched_by(), out=tmp_path / "one")
    same_end(one, train(one / "recipe.yaml", out=tmp_path / "two"))
    other = train(MLE_EXAMPLE, "seed=4", watched_by(), out=tmp_path / "three")
    with pytest.raises(AssertionError, match="differs"):
        same_end(one, other)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    run = train(MLE_EXAMPLE, watched_by(), out=tmp_path / "run")
    file = newest(run) / "players.safetensors"
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(DataError, match=r"step-00000012/players.safetensors: cannot be read .*delete this"):
        load(run)
    with pytest.raises(DataError, match="not a run folder"):
        load(tmp_path)


def test_bf16_is_for_the_nets(tmp_path: Path) -> None:
    recipe = {**MLE_EXAMPLE, "players": {"energy": {"name": "mlp", "width": 16}}}
    changes = (watched_by("log"), "energy.lr=0.001")
    plain = train(recipe, *changes, out=tmp_path / "fp32")
    run = train(recipe, *changes, "compute.precision=bf16", out=tmp_path / "bf16")
    energy = load(run).players["energy"]
    assert energy.autocast == torch.bfloat16
    assert energy(torch.zeros(2, 1)).dtype == torch.float32
    learned = [row for row in rows(run) if "event" not in row]  # where bf16 is slow that is an event
    for a, b in zip(rows(plain), learned, strict=True):
        assert a["energy/data"] == pytest.approx(b["energy/data"], abs=0.02)
    assert rows(plain) != rows(run)


def test_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    metrics = "metrics=[{name: probe/mean, every: 4, n: 20}]"
    run = train(MLE_EXAMPLE, metrics, "watch=[{name: log}, {name: tensorboard}]", "log.every=4", out=tmp_path / "run")
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    assert [e.step for e in events.Scalars("gap")] == list(range(1, 13))
    assert [e.step for e in events.Scalars("score/probe/mean")] == [4, 8, 12]


def test_the_best_checkpoint_is_kept(tmp_path: Path) -> None:
    run = train(
        MLE_EXAMPLE, "metrics=[{name: probe/mean, every: 2, n: 200}]", "checkpoint.every=2", "checkpoint.keep=1",
        "checkpoint.best=probe/mean", watched_by(), out=tmp_path / "run",
    )  # fmt: skip
    scores = {r["step"]: r["scores"]["probe/mean"]["value"] for r in rows(run) if "scores" in r}
    best = min(scores, key=scores.__getitem__)
    assert set(checkpoint_steps(run / "checkpoints")) == {best, 12}
    assert load(run, "best").step == best
    assert load(run).step == 12


def test_metrics_are_told_apart(tmp_path: Path) -> None:
    two = "metrics=[{name: probe/mean, n: 20}, {name: probe/mean, n: 40, label: more}]"
    run = train(MLE_EXAMPLE, two, watched_by(), out=tmp_path / "run")
    (scores,) = [r["scores"] for r in rows(run) if "scores" in r]
    assert {k: v["protocol"]["n"] for k, v in scores.items()} == {"probe/mean": 20, "more": 40}
    with pytest.raises(UserError, match=r'metrics.1.label: "probe/mean" is in metrics twice'):
        train(MLE_EXAMPLE, two.replace(", label: more", ""), out=tmp_path / "none")
    with pytest.raises(
        UserError, match=r'checkpoint.best: there is no score "probe/mean/x"; the scores are probe/mean'
    ):
        train(
            MLE_EXAMPLE, "metrics=[{name: probe/mean, every: 2, n: 20}]", "checkpoint.every=2",
            "checkpoint.best=probe/mean/x", watched_by(), out=tmp_path / "best",
        )  # fmt: skip


def test_a_model_works_without_its_data(tmp_path: Path) -> None:
    run = train(MLE_EXAMPLE, watched_by(), out=tmp_path / "run")
    model = load(run)
    assert model.weights == "ema"
    assert model.sample(5).shape == (5, 1)
    assert torch.equal(model.sample(5, seed=1), model.sample(5, seed=1))
    assert model.energy(torch.zeros(3, 1)).shape == (3,)
    ema = load_file(newest(run) / "ema.safetensors")
    assert torch.equal(model.players["energy"].a, ema["energy/a"])


# -- two processes -------------------------------------------------------------------------------------------------

TWO_RANKS = """
import json, sys, torch
from accelerate import PartialState
from safetensors.torch import save_file
from ebmsuite.experiment.build import Experiment
from ebmsuite.ranks import Ranks
from ebmsuite.experiment.recipe import read_recipe
from ebmsuite.plugins.registry import Registry
from ebmsuite.experiment.run import Run
from pathlib import Path

folder, recipe = Path(sys.argv[1]), json.loads(sys.argv[2])
PartialState(cpu=True)
registry, ranks = Registry(), Ranks()
experiment = Experiment.with_data(read_recipe(recipe, registry), registry, torch.device("cpu"), ranks)
run = Run(folder, experiment, registry)
drawn = {}
for name, phase in experiment.trainer.phases.items():
    def draw(*a, _draw=phase.draw, _name=name, **k):
        drawn[_name] = _draw(*a, **k)
        return drawn[_name]
    phase.draw = draw
batch = experiment.streams["data"].batch(0)
before = {n: p.detach().clone() for n, p in experiment.trainer.players["energy"].named_parameters()}
experiment.trainer.step(0, {"data": batch}, run.rng)
after = dict(experiment.trainer.players["energy"].named_parameters())
tensors = {"data": batch.x, "negative": drawn["negative"].x.contiguous()}
tensors |= {f"moved.{n}": (before[n] - after[n]).detach().contiguous() for n in before}
tensors |= {f"before.{n}": v for n, v in before.items()}
save_file(tensors, folder / f"rank{ranks.rank}.safetensors")
experiment.close()
"""


@pytest.mark.slow
def test_two_processes_are_interrupted_as_one(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    changes = ["budget.steps=20000", "compute.devices=2", "compute.device=cpu", watched_by("log")]
    recipe.write_text(read_recipe(MLE_EXAMPLE, registry, changes).as_yaml())
    run = tmp_path / "run"
    command = [sys.executable, "-m", "ebmsuite", "train", str(recipe), "--out", str(run)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 90
    while not (run / "metrics.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert f"resume with: ebm train --resume {run}" in said
    assert "Traceback" not in said
    assert checkpoint_steps(run / "checkpoints")[-1] > 0


@pytest.mark.slow
def test_two_processes_stop_a_metric(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    changes = ["compute.devices=2", "compute.device=cpu", watched_by("log"), "metrics=[{name: probe/mean, every: 4}]"]
    recipe.write_text(read_recipe(MLE_EXAMPLE, registry, [*changes, "metrics.0.seconds=600"]).as_yaml())
    run = tmp_path / "run"
    command = [sys.executable, "-m", "ebmsuite", "train", str(recipe), "--out", str(run)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 90
    while not [r for r in read_log(run / "metrics.jsonl") if r["step"] == 4] and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert f"resume with: ebm train --resume {run}" in said
    assert checkpoint_steps(run / "checkpoints") == [0, 4]
    assert not [r for r in read_log(run / "metrics.jsonl") if "scores" in r]


def torchrun(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.slow
def test_two_processes_take_the_gradient_of_all_rows(tmp_path: Path) -> None:
    """The reduced gradient is that of one process on the concatenated batches and negatives."""
    recipe = {
        **MLE_EXAMPLE,
        "players": {"energy": {"name": "mlp", "width": 16, "depth": 2}},
        "optimisers": {"energy": {"name": "sgd", "lr": 1.0}},
    }
    script = tmp_path / "two_ranks.py"
    script.write_text(TWO_RANKS)
    done = torchrun(str(script), str(tmp_path), json.dumps(recipe))
    assert done.returncode == 0, done.stderr
    ranks = [load_file(tmp_path / f"rank{r}.safetensors") for r in range(2)]
    from ebmsuite.nets.mlp import mlp_energy
    from ebmsuite.space import Space

    energy = mlp_energy(Space((1,)), width=16, depth=2)
    energy.load_state_dict({n.removeprefix("before."): v for n, v in ranks[0].items() if n.startswith("before.")})
    data, negative = (torch.cat([r[k] for r in ranks]) for k in ("data", "negative"))
    assert len(data) == len(negative) == 16
    assert not torch.equal(ranks[0]["negative"], ranks[1]["negative"])
    (energy(data) - energy(negative)).mean().backward()
    for name, parameter in energy.named_parameters():
        assert torch.equal(ranks[0][f"moved.{name}"], ranks[1][f"moved.{name}"])
        assert torch.allclose(ranks[0][f"moved.{name}"], parameter.grad, atol=1e-6)


@pytest.mark.slow
def test_two_processes_run_every_trainer(tmp_path: Path) -> None:
    recipes = [read_recipe(example, registry, QUIET) for example in EXAMPLES.values()]
    assert on_two_processes(recipes, tmp_path) == {}
    for recipe in recipes:
        run = tmp_path / recipe.recipe
        assert checkpoint_steps(run / "checkpoints") == [10, 12]
        files = {p.name for p in newest(run).iterdir()}
        assert {"phases-0.safetensors", "phases-1.safetensors", "generators-1.safetensors"} <= files
    # resume refuses another number of processes, with the number to use
    with pytest.raises(UserError, match=r"saved by 2 processes.*--devices 2"):
        train(None, "compute.devices=1", "budget.steps=14", resume=run)


@pytest.mark.slow
def test_one_of_many_that_fails_on_two_processes_is_named(tmp_path: Path) -> None:
    good = read_recipe({**MLE_EXAMPLE, "recipe": "good"}, registry, QUIET)
    bad = read_recipe({**MLE_EXAMPLE, "recipe": "bad"}, registry, [*QUIET, "chains.size=8"])
    failed = on_two_processes([good, bad], tmp_path)
    assert failed.keys() == {"bad"}
    assert checkpoint_steps(tmp_path / "good" / "checkpoints") == [10, 12]
    assert "4 chains per process are too few for a batch of 8" in failed["bad"]


@pytest.mark.slow
def test_two_processes_resume_exactly(tmp_path: Path) -> None:
    two = ("compute.devices=2", "compute.device=cpu", "checkpoint.every=4", "log.every=2", watched_by("log"))
    whole = train(MLE_EXAMPLE, *two, out=tmp_path / "whole")
    parts = train(MLE_EXAMPLE, *two, "budget.steps=8", out=tmp_path / "parts")
    train(None, "budget.steps=12", resume=parts)
    same_run(whole, parts)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["torchrun", "accelerate"])
def test_other_launchers(launcher: str, tmp_path: Path) -> None:
    """A cluster's launcher starts the processes; only rank 0 speaks and logs."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(read_recipe(MLE_EXAMPLE, registry, [watched_by("progress", "log")]).as_yaml())
    arguments = ["-m", "ebmsuite", "train", str(recipe), "--out", str(tmp_path / "run"), "--device", "cpu"]
    if launcher == "torchrun":
        done, number = torchrun(*arguments), "2 processes"
    else:  # which starts one process on a CPU without MPI
        command = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        number = "1 process"
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(f"{number}; run folder") == 1
    assert done.stdout == f"{tmp_path / 'run'}\n"
    assert [r["step"] for r in rows(tmp_path / "run")] == [10, 12]


def test_a_metric_is_prepared_before_the_first_step(tmp_path: Path) -> None:
    needed = tmp_path / "weights"
    recipe = {**MLE_EXAMPLE, "metrics": [{"name": "probe/needs-file", "path": str(needed)}]}
    with pytest.raises(MissingData, match="weights: missing"):
        train(recipe, watched_by(), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    needed.touch()
    train(recipe, watched_by(), out=tmp_path / "run")
    assert needed.read_text() == "train valid test"
