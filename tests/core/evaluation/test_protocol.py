"""The facts that a score states about the evaluated events, and real examples as a source of samples."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ebmsuite.dataset import Dataset, InMemory
from ebmsuite.errors import UserError
from ebmsuite.evaluation.protocol import HeldOut, current, facts_of, held_out


def splits(shape: tuple[int, ...]) -> dict[str, Dataset]:
    return {
        name: InMemory(torch.randn(n, *shape, generator=torch.Generator().manual_seed(n)))
        for name, n in (("train", 300), ("valid", 270), ("test", 40))
    }


def events(dataset: Dataset) -> Tensor:
    return dataset.batch(torch.arange(len(dataset)), torch.zeros(len(dataset))).x


@pytest.mark.parametrize("shape", [(3,), (1, 2, 2)])
def test_held_out_examples_are_real_and_come_once(shape: tuple[int, ...]) -> None:
    data = splits(shape)
    rng = torch.Generator().manual_seed(0)
    x = HeldOut(data).sample(1000, rng=rng)
    everything = events(data["valid"])
    assert x.shape == everything.shape
    assert not torch.equal(x, everything)
    order = torch.cdist(x.flatten(1), everything.flatten(1)).argmin(1)
    assert sorted(order.tolist()) == list(range(270))
    assert torch.equal(x, everything[order])
    some = HeldOut(data, "test").sample(7, rng=rng)
    assert (torch.cdist(some.flatten(1), events(data["test"]).flatten(1)).amin(1) < 1e-6).all()


def test_held_out_examples_are_of_another_split_than_the_reference() -> None:
    data = splits((2,))
    assert held_out(data, "test").set == "valid"
    assert held_out(data, "valid").set == "train"
    two = {k: v for k, v in data.items() if k != "valid"}
    assert held_out(two, "test").set == "train"
    with pytest.raises(UserError, match=r'another split than the reference "train"'):
        held_out(two, "train")
    with pytest.raises(UserError, match=r'no split "valid" \(they have: train, test\)'):
        HeldOut(two).sample(3, rng=torch.Generator())


class Described:
    def describe(self) -> dict[str, object]:
        return {"recipe": "some/recipe", "step": 3}


def test_facts_are_of_the_model_only_where_it_is_evaluated() -> None:
    reference = splits((2,))["test"]
    assert facts_of(Described(), "model", 5, reference) == {
        "of": "model", "n_samples": 5, "model": {"recipe": "some/recipe", "step": 3},
    }  # fmt: skip
    reference.note = "40 of 100 points"
    for of in ("held-out", "noise", "pixel-gaussian"):
        assert facts_of(Described(), of, 5, reference) == {"of": of, "n_samples": 5, "data": "40 of 100 points"}
    assert facts_of(None, "model", 5) == {"of": "model", "n_samples": 5}


def test_words_of_older_recipes_are_accepted() -> None:
    assert [current(of) for of in ("samples", "energy", "real", "reference")] == [
        "model", "model", "held-out", "noise",
    ]  # fmt: skip
    assert [current(of) for of in ("model", "held-out", "n-gram")] == ["model", "held-out", "n-gram"]
