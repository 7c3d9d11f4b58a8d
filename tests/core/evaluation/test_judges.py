"""A judge is trained once, its quality is measured, and a failure leaves neither a file nor another random state."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ebmsuite.builtin.examples import MLE_EXAMPLE
from ebmsuite.dataset import NormalSamples
from ebmsuite.errors import DataError
from ebmsuite.evaluation.judges import Judge, judge
from ebmsuite.evaluation.wording import words
from ebmsuite.experiment.train import train
from ebmsuite.files import locked
from ebmsuite.model import load
from ebmsuite.plugins.testing import watched_by


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EBMSUITE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "probe"


class Fit:
    """Least squares for y = 3 x - 1 by gradient descent; counts how often it is computed."""

    def __init__(self) -> None:
        self.learned = 0

    def learn(self, net: nn.Linear, rng: torch.Generator) -> None:
        self.learned += 1
        assert net.training
        assert torch.get_num_threads() == 1
        optimiser = torch.optim.SGD(net.parameters(), 0.3)
        for _ in range(50):
            x = torch.rand(64, 1, generator=rng) + 0.01 * torch.randn(64, 1)
            optimiser.zero_grad()
            (net(x) - (3 * x - 1)).square().mean().backward()
            optimiser.step()

    def judge(self, **changes: Any) -> Judge[nn.Linear]:
        given = {"data": {"train": "abc"}, "settings": {"version": 1, "widths": (1, 1)}, "seed": 0, **changes}
        return judge(
            "probe/line", given["data"], given["settings"], make=lambda: nn.Linear(1, 1), learn=self.learn,
            measure=lambda net: {"error": float((net(torch.ones(1)) - 2).abs())}, seed=given["seed"],
        )  # fmt: skip


def test_a_judge_is_trained_once_and_states_its_quality(cache: Path) -> None:
    fit = Fit()
    state = torch.random.get_rng_state()
    with torch.no_grad():  # as an evaluation calls it
        first = fit.judge()
    torch.rand(3)
    state, global_state = torch.random.get_rng_state(), state
    second = fit.judge()
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not torch.equal(state, global_state)
    assert fit.learned == 1
    assert torch.equal(first.net.weight, second.net.weight)
    assert first.quality == second.quality
    assert 0 < first.quality["error"] < 0.5
    assert first.protocol() == {"id": f"probe/line-{first.key[:8]}", "error": first.quality["error"]}
    assert not second.net.training
    assert not second.net.weight.requires_grad
    assert [file.name for file in cache.iterdir()] == [f"line-{first.key[:32]}.safetensors"]


def test_training_depends_on_the_seed_only(cache: Path) -> None:
    torch.manual_seed(1)
    first = Fit().judge().net.weight
    next(cache.iterdir()).unlink()
    torch.manual_seed(2)
    assert torch.equal(Fit().judge().net.weight, first)
    assert not torch.equal(Fit().judge(seed=1).net.weight, first)


@pytest.mark.parametrize(
    "changes", [{"seed": 1}, {"data": {"train": "abd"}}, {"data": {"test": "abc"}}, {"settings": {"version": 2}}]
)
def test_other_data_settings_or_seeds_are_another_judge(changes: dict[str, Any], cache: Path) -> None:
    fit = Fit()
    assert fit.judge().key != fit.judge(**changes).key
    assert fit.learned == len(list(cache.iterdir())) == 2


def test_two_that_need_it_at_once_train_it_once(cache: Path) -> None:
    fit, found = Fit(), []
    begun, go = threading.Event(), threading.Event()
    learn = fit.learn

    def slowly(net: nn.Linear, rng: torch.Generator) -> None:
        begun.set()
        assert go.wait(20)
        learn(net, rng)

    fit.learn = slowly  # type: ignore[method-assign]
    first = threading.Thread(target=lambda: found.append(fit.judge()))
    first.start()
    assert begun.wait(20)
    second = threading.Thread(target=lambda: found.append(fit.judge()))
    second.start()
    second.join(0.2)
    assert second.is_alive()  # it waits for the first
    go.set()
    for thread in (first, second):
        thread.join(20)
    assert fit.learned == 1
    assert torch.equal(found[0].net.weight, found[1].net.weight)
    assert [file.suffix for file in cache.iterdir()] == [".safetensors"]


def test_a_failure_leaves_nothing(cache: Path) -> None:
    fit = Fit()
    learn, threads = fit.learn, torch.get_num_threads()

    def fail(net: nn.Linear, rng: torch.Generator) -> None:
        raise KeyboardInterrupt

    fit.learn = fail  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        fit.judge()
    assert list(cache.iterdir()) == []
    assert torch.get_num_threads() == threads
    fit.learn = learn  # type: ignore[method-assign]
    fit.judge()
    assert fit.learned == 1


def test_a_damaged_or_foreign_file_is_named(cache: Path) -> None:
    fit = Fit()
    fit.judge()
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    for content in (b"", b"half a file", whole[: len(whole) // 2]):
        file.write_bytes(content)
        with pytest.raises(DataError, match=rf"{file}: is not the stored network .* delete it to train it again"):
            fit.judge()
    save_file({"weight": torch.zeros(1, 1), "bias": torch.zeros(1)}, file)  # without facts
    with pytest.raises(DataError, match="is not the stored network"):
        fit.judge()
    save_file({"weight": torch.zeros(2, 2)}, file, {"facts": '{"quality": {}}'})
    with pytest.raises(DataError, match="is not the stored network"):
        fit.judge()


def test_a_folder_that_cannot_be_written_is_named_before_training(cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_text("a file where a folder must be")
    fit = Fit()
    with pytest.raises(DataError, match=r"line-.*: cannot be written"):
        fit.judge()
    assert fit.learned == 0
    with pytest.raises(DataError, match="cannot be written"), locked(cache / "below" / "x"):
        pass


PAGE = Path(__file__).parents[3] / "docs" / "evaluation.md"
HEAD = """
import torch
from collections.abc import Mapping
from dataclasses import dataclass
from torch import nn
from torch.nn import functional as F
"""


def test_the_metric_of_the_page_works(cache: Path, tmp_path: Path) -> None:
    made: dict[str, Any] = {"__name__": __name__}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(HEAD + block, made)  # our own page
    data = {split: NormalSamples(split, n=500, dim=2, labels=True) for split in ("train", "test")}
    metric = made["ClassShare"](steps=100)
    metric.prepare(data)
    (file,) = cache.parent.rglob("*.safetensors")
    before = file.stat().st_mtime_ns
    model = load(train({**MLE_EXAMPLE, "budget": {"steps": 0, "batch": 4}}, watched_by(), out=tmp_path / "run"))
    model.sample = lambda n, rng: torch.tensor([[3.0, 0.0], [2.0, 1.0], [1.0, 1.0], [-2.0, 0.0]])  # type: ignore[method-assign]
    score = metric(model, data, model.generator(0), 4)
    assert score.value == 3 / 4
    assert score.protocol["judge"]["test_accuracy"] > 0.95
    assert re.search(r"judge mine/classifier-\w{8} \(test accuracy 0\.9", words(score.protocol))
    assert file.stat().st_mtime_ns == before
    assert made["AVERAGE"].of == ("trajectory/eth-ade", "trajectory/hotel-ade", "trajectory/univ-ade")
