"""What is measured at the start of a run, and that a resumed run computes as the run did."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import ebmsuite.experiment.pace
from ebmsuite.builtin.examples import LATENT_EXAMPLE, LIKELIHOOD_EXAMPLE, MLE_EXAMPLE, RECOVERY_EXAMPLE, VAE_EXAMPLE
from ebmsuite.errors import DataError, RecipeError
from ebmsuite.evaluation.report import write_report
from ebmsuite.experiment.stored import read_log
from ebmsuite.experiment.train import train
from ebmsuite.hookspecs import hookimpl
from ebmsuite.model import load
from ebmsuite.plugins.conformance import same_end
from ebmsuite.plugins.registry import Registry

NET = {**MLE_EXAMPLE, "players": {"energy": {"name": "mlp", "width": 16}}}


class Threads:
    """Notes the number of threads of every step."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    @hookimpl
    def ebm_step_end(self, run):
        self.seen.append(torch.get_num_threads())


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """A machine of four threads, on which a pass takes as long as ``takes`` says for a number of threads."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    takes = {1: 1e-3, 4: 1e-3}
    monkeypatch.setattr(ebmsuite.experiment.pace, "_timed", lambda work: takes.get(torch.get_num_threads(), 1.0))
    yield takes
    assert torch.get_num_threads() == 4  # as it was found
    torch.set_num_threads(before)


def threads_of(example: dict, *changes: str, **options) -> list[int]:
    registry, callback = Registry(), Threads()
    registry.plugins.load_all()
    registry.plugins.add(callback, "threads")
    try:
        train(example, *changes, registry=registry, **options)
    finally:
        registry.plugins.remove(callback)
    return callback.seen


@pytest.mark.slow
def test_one_thread_is_taken_where_it_is_clearly_faster(machine: dict, tmp_path: Path) -> None:
    for number, (one, four, chosen) in enumerate([(1e-3, 2e-3, 1), (2e-3, 1e-3, 4), (1e-3, 1.05e-3, 4), (2.0, 1.0, 4)]):
        machine |= {1: one, 4: four}
        seen = threads_of(NET, "watch=[]", "device=cpu", out=tmp_path / str(number))
        assert set(seen) == {chosen}
        assert json.loads((tmp_path / str(number) / "threads.json").read_text())["threads"] == chosen


@pytest.mark.slow
def test_a_resumed_run_takes_the_number_that_was_stored(machine: dict, tmp_path: Path, monkeypatch, caplog) -> None:
    machine |= {1: 1e-3, 4: 2e-3}
    run = tmp_path / "run"
    assert set(threads_of(NET, "watch=[]", "device=cpu", out=run)) == {1}
    machine |= {1: 2e-3, 4: 1e-3}  # what would be chosen now
    assert threads_of(None, "budget.steps=14", resume=run) == [1, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert threads_of(None, "budget.steps=15", resume=run) == [1]
    assert "threads: 1, as before" in caplog.text
    assert threads_of(None, "budget.steps=16", "compute.threads=3", resume=run) == [3]
    assert threads_of(None, "budget.steps=17", resume=run) == [3]  # the recipe of the run says so now


def test_runs_that_stored_none_compute_as_they_did(machine: dict, tmp_path: Path) -> None:
    machine |= {1: 1e-3, 4: 2e-3}
    run = train(NET, "watch=[]", "device=cpu", out=tmp_path / "run")
    (run / "threads.json").unlink()
    recipe = run / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("  threads: auto\n", ""))
    assert threads_of(None, "budget.steps=14", resume=run) == [4, 4]
    assert not (run / "threads.json").exists()


@pytest.mark.parametrize("content", ['{"threads": ', "[]", "{}", '{"threads": "two"}', '{"threads": 0}', "\x00"])
def test_a_damaged_number_of_threads_is_named(content: str, tmp_path: Path) -> None:
    run = train(NET, "watch=[]", "device=cpu", out=tmp_path / "run")
    (run / "threads.json").write_text(content)
    with pytest.raises(DataError, match=r"threads.json: cannot be read .*delete it.*not match bit for bit"):
        train(None, "budget.steps=14", resume=run)


@pytest.mark.parametrize("number", ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "compute.threads=2"])
def test_a_number_that_the_user_sets_is_followed(number: str, machine: dict, tmp_path: Path, monkeypatch) -> None:
    machine |= {1: 1e-3, 4: 2e-3}
    changes = [number] if "=" in number else []
    if not changes:
        monkeypatch.setenv(number, "4")
    seen = threads_of(NET, "watch=[]", "device=cpu", *changes, out=tmp_path / "run")
    assert set(seen) == {2 if changes else 4}


def test_numbers_of_threads_are_checked(tmp_path: Path) -> None:
    for value in ("0", "-1", "many", "1.5", "true"):
        with pytest.raises(RecipeError, match=r"compute.threads"):
            train(NET, f"compute.threads={value}", out=tmp_path / "run")


EXAMPLES = [MLE_EXAMPLE, NET, LATENT_EXAMPLE, VAE_EXAMPLE, LIKELIHOOD_EXAMPLE, RECOVERY_EXAMPLE]


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e["recipe"])
def test_measuring_changes_nothing_of_the_run(example: dict, tmp_path: Path, monkeypatch) -> None:
    """With really timed passes: the weights are those of a run that measures nothing."""
    measured = tmp_path / "measured"
    with monkeypatch.context() as free:
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            free.delenv(name, raising=False)
        before = torch.get_num_threads()
        torch.set_num_threads(2)
        try:
            train(example, "watch=[]", "device=cpu", "precision=bf16", out=measured)
        finally:
            torch.set_num_threads(before)
    monkeypatch.setattr(ebmsuite.experiment.pace, "passes", lambda run: [])
    same_end(measured, train(example, "watch=[]", "device=cpu", "precision=bf16", "threads=1", out=tmp_path / "other"))


@pytest.mark.slow
@pytest.mark.parametrize(("ratio", "slow"), [(8.2, True), (1.5, True), (1.0, False), (0.5, False)])
def test_a_slow_bf16_is_said_and_recorded(ratio: float, slow: bool, tmp_path: Path, monkeypatch, caplog) -> None:
    seconds = itertools.cycle([1e-3 * ratio, 1e-3])
    monkeypatch.setattr(ebmsuite.experiment.pace, "_timed", lambda work: next(seconds))
    run = train(NET, "watch=[{name: log}]", "precision=bf16", "threads=1", out=tmp_path / "run")
    events = [r for r in read_log(run / "metrics.jsonl") if r.get("event") == "precision"]
    assert (f"{ratio:.1f} x as long in bf16 as in fp32" in caplog.text) == slow
    assert [e["ratio"] for e in events] == ([ratio] if slow else [])
    assert ("x as long in bf16" in write_report(run).read_text()) == slow
    train(None, "budget.steps=14", resume=run)
    assert [r for r in read_log(run / "metrics.jsonl") if r.get("event") == "precision"] == events


def test_nets_that_take_long_are_measured_once(monkeypatch) -> None:
    calls = []
    work = [lambda: calls.append(1)]
    clock = itertools.count(0, 5)
    monkeypatch.setattr(ebmsuite.experiment.pace, "time", SimpleNamespace(perf_counter=lambda: float(next(clock))))
    assert ebmsuite.experiment.pace._compare({"a": lambda: None, "b": lambda: None}, work) == {}
    assert len(calls) == 1


# -- the layout of 3-D convolutions ----------------------------------------------------------------------------------

VOLUMES = {
    **MLE_EXAMPLE,
    "data": {"data": {"name": "normal", "n": 64, "dim": [5, 4, 4, 4]}},
    "players": {"energy": {"name": "convnet", "channels": [6], "kernels": 3, "strides": 1, "head": "sum"}},
    "budget": {"steps": 4, "batch": 4},
    "checkpoint": {"every": 2},
}


class Layout:
    """Notes whether the weights, their averages and the optimiser are channels-last at every step."""

    def __init__(self) -> None:
        self.seen: list[set[bool]] = []

    @hookimpl
    def ebm_step_end(self, run):
        players = run.experiment.trainer.players
        state = players.optimisers["energy"].state.values()
        tensors = [players["energy"].net[0].weight, players.ema["energy"].net[0].weight]
        tensors += [entry["exp_avg"] for entry in state if entry["exp_avg"].dim() == 5]
        self.seen.append({t.is_contiguous(memory_format=torch.channels_last_3d) for t in tensors})


def layouts_of(example: dict | None, *changes: str, **options) -> list[set[bool]]:
    registry, callback = Registry(), Layout()
    registry.plugins.load_all()
    registry.plugins.add(callback, "layout")
    try:
        train(example, "compute.fast=eager", *changes, registry=registry, quiet=True, **options)
    finally:
        registry.plugins.remove(callback)
    return callback.seen


@pytest.mark.parametrize("ratio", [0.5, 0.95, 2.0])
def test_the_faster_layout_is_taken_stored_and_resumed(ratio: float, tmp_path: Path, monkeypatch) -> None:
    seconds = itertools.cycle([1e-3, 1e-3 * ratio])
    monkeypatch.setattr(ebmsuite.experiment.pace, "_timed", lambda work: next(seconds))
    last, out = ratio < 0.9, tmp_path / "run"
    assert layouts_of(VOLUMES, "threads=1", out=out) == [{last}] * 4
    assert json.loads((out / "layout.json").read_text())["channels_last_3d"] is last
    monkeypatch.setattr(ebmsuite.experiment.pace, "_timed", lambda work: pytest.fail("measured again"))
    assert layouts_of(None, "budget.steps=6", resume=out) == [{last}] * 2
    monkeypatch.undo()


@pytest.mark.parametrize(("layout", "last"), [("contiguous", False), ("channels-last", True)])
def test_a_layout_that_is_set_is_not_measured(layout: str, last: bool, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(ebmsuite.experiment.pace, "_timed", lambda work: pytest.fail("measured"))
    settings = "threads=1", f"compute.layout={layout}", "budget.steps=1"
    assert layouts_of(VOLUMES, *settings, out=tmp_path / "run") == [{last}]


def test_the_layout_does_not_change_what_is_learned_beyond_rounding(tmp_path: Path, monkeypatch) -> None:
    found = []
    for ratio in (0.5, 2.0):
        seconds = itertools.cycle([1e-3, 1e-3 * ratio])
        monkeypatch.setattr(ebmsuite.experiment.pace, "_timed", lambda work, seconds=seconds: next(seconds))
        out = train(VOLUMES, "threads=1", "compute.fast=eager", out=tmp_path / str(ratio), quiet=True)
        found.append(load(out).players["energy"].net[0].weight)
    torch.testing.assert_close(*found)


def test_runs_without_3d_convolutions_store_no_layout(tmp_path: Path) -> None:
    assert not (train(NET, "watch=[]", "device=cpu", out=tmp_path / "run") / "layout.json").exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"channels_last_3d": 1}'])
def test_a_damaged_layout_is_named(content: str, tmp_path: Path) -> None:
    run = train(VOLUMES, "compute.fast=eager", out=tmp_path / "run", quiet=True)
    (run / "layout.json").write_text(content)
    with pytest.raises(DataError, match=r"layout.json: cannot be read .*delete it.*not match bit for bit"):
        train(None, "budget.steps=6", resume=run, quiet=True)
