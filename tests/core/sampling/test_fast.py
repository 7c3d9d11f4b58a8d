"""The fast path: the same numbers by other kernels, chosen once, stored, and no hidden waiting."""

from __future__ import annotations

import json
import logging
import os
import signal
import traceback
from pathlib import Path

import pytest
import torch
from torch.nn.functional import dropout
from torch.utils._python_dispatch import TorchDispatchMode

import ebmsuite
from ebmsuite.builtin.examples import MLE_EXAMPLE
from ebmsuite.density import Gaussian
from ebmsuite.energy import Clamped, Energy
from ebmsuite.errors import Interrupted, RecipeError
from ebmsuite.experiment.build import Experiment
from ebmsuite.experiment.recipe import read_recipe
from ebmsuite.nets.mlp import mlp_energy
from ebmsuite.plugins.registry import Registry
from ebmsuite.ranks import Ranks
from ebmsuite.sampling import HMC, MALA, FastPath, Langevin, Noise, Phase, run, target_of
from ebmsuite.sampling import fast as fast_module
from ebmsuite.space import Batch, Space

SPACE = Space((3,))
cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def rng(seed: int = 0, device: str = "cpu") -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)


def phase(fast: FastPath, sampler=None) -> Phase:
    return Phase(fast.energy, sampler or Langevin(step_size=0.1), Noise(Gaussian(SPACE)), 5, fast=fast)


@pytest.mark.slow
def test_the_compiled_path_is_the_eager_one_in_double_precision_and_follows_the_weights() -> None:
    net = mlp_energy(SPACE, width=16, depth=1, reference_sd=1.0)
    energy = Clamped(net).double()
    x = torch.randn(20, 3, generator=rng(), dtype=torch.float64)
    known = torch.zeros_like(x, dtype=torch.bool)
    known[:, 0] = True
    condition = Clamped.given(x, known)
    path = FastPath(energy, "compiled")
    path.choose(x, condition, 5)
    assert path.routes == {"cpu float64 20x3 | values 20x3 | known 20x3": "compiled"}
    for sampler in (Langevin(step_size=0.2), MALA(0.2), HMC(0.1)):
        ends = [
            run(sampler, target, x, 10, rng(1))[0].x
            for target in (path.target(x, condition), target_of(energy, x, condition))
        ]
        assert torch.allclose(*ends, atol=1e-12)
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(1.5)
    values = [target.value_and_grad(x) for target in (path.target(x, condition), target_of(energy, x, condition))]
    assert torch.allclose(values[0][0], values[1][0], atol=1e-12)
    assert torch.allclose(values[0][1], values[1][1], atol=1e-12)


def test_processes_agree_once_however_many_shapes_there_are() -> None:
    """Where lengths vary each process meets its own shapes: one that asked the others for each would wait for ever."""
    asked: list[str] = []

    def agree(route):
        asked.append(route)
        return route

    energy = Clamped(mlp_energy(SPACE, width=4, depth=1, reference_sd=1.0))
    path = FastPath(energy, "auto", draws=1, agree=agree)
    for n in (4, 7, 9):
        x = torch.randn(n, 3, generator=rng())
        path.choose(x, Clamped.given(x, torch.zeros_like(x, dtype=torch.bool)), 5)
    assert asked == ["eager"]
    assert set(path.routes.values()) == {"eager"}
    assert len(path.routes) == 3


@cuda
def test_the_graphed_path_is_the_eager_one() -> None:
    energy = mlp_energy(SPACE, width=16, depth=1, reference_sd=1.0).double().cuda()
    x = torch.randn(20, 3, generator=rng(0, "cuda"), dtype=torch.float64, device="cuda")
    path = FastPath(energy, "graphed")
    path.choose(x, None, 5)
    for sampler in (Langevin(step_size=0.2), MALA(0.2), HMC(0.1)):
        ends = [run(sampler, t, x, 10, rng(1, "cuda"))[0].x for t in (path.target(x, None), target_of(energy, x))]
        assert torch.allclose(*ends, atol=1e-12)


def test_a_path_is_tried_where_the_chains_of_the_run_pay_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    energy, batch, made = mlp_energy(SPACE, width=8, depth=1), Batch(torch.zeros(16, 3)), []

    def compiled(energy):
        made.append(energy)
        return lambda x, condition: target_of(energy, x, condition).value_and_grad(x)

    monkeypatch.setattr(fast_module, "compiled", compiled)
    for draws, tried in ((10, 0), (10**9, 1)):
        made.clear()
        path = FastPath(energy, "auto", draws)
        drawing = phase(path)
        drawing.sample(16, rng())
        assert path.routes == {}  # samples outside learning choose nothing
        drawing.draw(batch, rng())
        drawing.draw(batch, rng())
        assert len(made) == tried
        assert path.routes == {"cpu float32 16x3": "eager"}  # the stand-in is no faster


def test_a_faster_path_is_taken_and_a_wrong_or_broken_one_is_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    energy, x = mlp_energy(SPACE, width=256, depth=3), torch.ones(512, 3)
    exact = target_of(energy, x).value_and_grad(x)
    cases = {
        "compiled": lambda x, condition: exact,  # at x, and in no time
        "eager": lambda x, condition: (exact[0], exact[1] * 1.1),
    }
    for route, function in cases.items():
        monkeypatch.setattr(fast_module, "compiled", lambda energy, function=function: function)
        path = FastPath(energy, "auto", 10**9)
        path.choose(x, None, 10)
        assert set(path.routes.values()) == {route}
    assert "relative error of 0.1" in caplog.text

    def broken(energy):
        raise RuntimeError("no compiler here\nand much more")

    monkeypatch.setattr(fast_module, "compiled", broken)
    with caplog.at_level(logging.WARNING):
        path = FastPath(energy, "auto", 10**9)
        path.choose(x, None, 10)
    assert set(path.routes.values()) == {"eager"}
    assert "the compiled path failed (no compiler here); chains run without it" in caplog.text
    with pytest.raises(RecipeError, match=r"compute.fast: the compiled path.*no compiler here.*set compute.fast=eager"):
        FastPath(energy, "compiled").choose(x, None, 10)
    if not torch.cuda.is_available():
        with pytest.raises(RecipeError, match="the graphed path"):
            FastPath(energy, "graphed").choose(x, None, 10)


def test_a_random_gradient_is_reported_and_not_compared(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Random(Energy):
        def forward(self, x, condition=None):
            return dropout(x, 0.5, self.training).square().sum(1)

    exact = target_of(Random().eval(), torch.ones(64, 3)).value_and_grad(torch.ones(64, 3))
    monkeypatch.setattr(fast_module, "compiled", lambda energy: lambda x, condition: exact)
    state = torch.get_rng_state()
    for training in (True, False):
        caplog.clear()
        path = FastPath(Random().train(training), "auto", 10**9, name="phases.posterior")
        with caplog.at_level(logging.INFO):
            path.choose(torch.ones(64, 3), None, 10)
        assert ("two gradients at the same point differ" in caplog.text) is training
        assert "WARNING" not in caplog.text
        assert path.settled
    assert torch.equal(torch.get_rng_state(), state)


def test_what_was_chosen_is_stored_in_the_run_and_resume_takes_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = []

    def compiled(energy):
        calls.append(energy)
        return lambda x, condition: target_of(energy, x, condition).value_and_grad(x)

    monkeypatch.setattr(fast_module, "compiled", compiled)
    out = tmp_path / "run"
    ebmsuite.train(MLE_EXAMPLE, "compute.fast=compiled", "budget.steps=3", out=out, quiet=True)
    assert len(calls) == 1
    stored = json.loads((out / "fast.json").read_text())
    assert stored == {"negative": {"cpu float32 16x1": "compiled"}}
    # as "auto" would have left it: resume computes by the stored route and does not measure again
    monkeypatch.setattr(FastPath, "_fastest", lambda *a: pytest.fail("measured again"))
    ebmsuite.train(None, "compute.fast=auto", "budget.steps=5", resume=out, quiet=True)
    assert len(calls) == 2


@pytest.mark.parametrize("how", ["compiler killed", "signals", "interrupt"])
def test_an_interrupted_compilation_is_tried_again_at_the_next_start(
    how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Ctrl-C reaches the compiler too, whose failure must not be stored as "eager is faster"."""
    tried = []

    def interrupted(energy):
        tried.append(how)
        if how == "interrupt":
            raise KeyboardInterrupt
        os.kill(os.getpid(), signal.SIGTERM)  # the first signal lets the step end
        if how == "signals":
            os.kill(os.getpid(), signal.SIGTERM)
        raise RuntimeError("g++ was killed")

    monkeypatch.setattr(fast_module, "compiled", interrupted)
    monkeypatch.setitem(fast_module.SECONDS, "compiled", 0.0)
    out, recipe = tmp_path / "run", {**MLE_EXAMPLE, "players": {"energy": {"name": "mlp", "width": 8}}}
    changes = ("compute.fast=auto", "checkpoint.every=2", "budget.steps=6")
    with pytest.raises(Interrupted if how == "compiler killed" else KeyboardInterrupt):
        ebmsuite.train(recipe, *changes, out=out, quiet=True)
    assert tried == [how]
    assert not (out / "fast.json").exists()

    exact = []

    def compiled(energy):  # the compiler works now, and takes no time
        exact.append(energy)
        program = target_of
        return lambda x, condition: program(energy, x, condition).value_and_grad(x)

    monkeypatch.setattr(fast_module, "compiled", compiled)
    monkeypatch.setattr(fast_module, "_seconds", lambda f, x, rounds=3: 1.0 if hasattr(f, "func") else 2.0)
    ebmsuite.train(resume=out, quiet=True)
    assert len(exact) == 1
    assert json.loads((out / "fast.json").read_text()) == {"negative": {"cpu float32 16x1": "compiled"}}


def test_a_slower_route_is_settled_and_a_failed_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    energy, x = mlp_energy(SPACE, width=8, depth=1), torch.ones(16, 3)
    exact = target_of(energy, x).value_and_grad

    def make(energy):
        return lambda x, condition: exact(x)

    def fail(energy):
        raise OSError("no space left")

    for function, settled in ((make, True), (fail, False)):
        monkeypatch.setattr(fast_module, "compiled", function)
        path = FastPath(energy, "auto", 10**9)
        path.choose(x, None, 10)
        path.choose(x[:5], None, 10)
        assert set(path.routes.values()) == {"eager"}
        assert path.settled is settled


# -- no waiting for the device ---------------------------------------------------------------------------------------


class Waits(TorchDispatchMode):
    """Notes every operation that would make the host wait for the device."""

    NAMES = ("_local_scalar_dense", "nonzero", "equal", "masked_select", "is_nonzero", "_unique")

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.__name__.partition(".")[0]
        if name in self.NAMES:
            stack = traceback.extract_stack()
            # Adam keeps its count of steps on the host: reading it waits for nothing
            if not any("torch/optim" in frame.filename for frame in stack):
                self.seen.append(f"{name} at {[f'{f.filename}:{f.lineno}' for f in stack if 'ebmsuite' in f.filename]}")
        return func(*args, **(kwargs or {}))


def test_the_watch_sees_a_wait() -> None:
    with Waits() as waits:
        torch.ones(1).sum().item()
        torch.ones(3)[torch.tensor([True, False, True])]
    assert waits.seen


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("chains={name: noise, density: {name: gaussian}}", "optimisers.energy.clip=1.0"),
        ("chains={name: data, noise: 0.1}",),
        ("negative.sampler={name: mala, step_size: 0.3}",),
        ("negative.sampler={name: hmc, step_size: 0.3}",),
    ],
    ids=["buffer", "noise", "data", "mala", "hmc"],
)
def test_a_learning_step_does_not_wait_for_the_device(overrides) -> None:
    recipe = read_recipe(MLE_EXAMPLE, Registry(), overrides)
    experiment = Experiment.with_data(recipe, Registry(), torch.device("cpu"), Ranks())
    generator = rng()
    for t in range(3):  # the first steps fill buffers and optimisers
        experiment.set_step(t)
        batch = {"data": experiment.streams["data"].batch(t)}
        with Waits() as waits:
            experiment.trainer.step(t, batch, generator)
    experiment.close()
    assert waits.seen == []
