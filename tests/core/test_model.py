"""What a trained model offers to metrics, tasks and renderers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from ebmsuite.builtin.examples import (
    ABP_EXAMPLE,
    COOPERATIVE_EXAMPLE,
    LATENT_EXAMPLE,
    LATENT_SCORE_EXAMPLE,
    MLE_EXAMPLE,
    TRIANGLE_EXAMPLE,
    VAE_EXAMPLE,
)
from ebmsuite.dataset import NormalSamples
from ebmsuite.errors import UserError
from ebmsuite.experiment.train import train
from ebmsuite.model import Model, load, rows_at_once
from ebmsuite.space import Batch, Space


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def trained(recipe: dict, tmp_path: Path) -> Model:
    return load(train({**recipe, "budget": {"steps": 1, "batch": 16}}, out=tmp_path / "run", quiet=True))


@pytest.fixture(scope="module")
def latent(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Latent vectors and events are both [2]."""
    return trained(LATENT_EXAMPLE, tmp_path_factory.mktemp("latent"))


@dataclass(frozen=True)
class Letters:
    name: ClassVar[str] = "test/letters"


@dataclass(frozen=True)
class Numbers:
    name: ClassVar[str] = "test/numbers"


def test_a_codec_is_of_the_kind_that_is_asked_for() -> None:
    model = object.__new__(Model)
    model.recipe = SimpleNamespace(recipe="some/recipe")  # type: ignore[assignment]
    model.codec = Letters()  # type: ignore[assignment]
    assert model.codec_as(Letters) is model.codec
    with pytest.raises(
        UserError, match=r'^some/recipe: the model has the codec "test/letters"; .* the codec "test/numbers"$'
    ):
        model.codec_as(Numbers)
    model.codec = None
    with pytest.raises(UserError, match=r'^some/recipe: the model has no codec; .* the codec "test/letters"$'):
        model.codec_as(Letters)


@pytest.mark.parametrize(
    ("recipe", "has_latent"),
    [(LATENT_EXAMPLE, True), (VAE_EXAMPLE, True), (LATENT_SCORE_EXAMPLE, True), (ABP_EXAMPLE, True),
     (COOPERATIVE_EXAMPLE, False), (TRIANGLE_EXAMPLE, False), (MLE_EXAMPLE, False)],
    ids=lambda v: v["recipe"] if isinstance(v, dict) else "",
)  # fmt: skip
def test_latent_vectors_are_drawn_where_the_events_are_made_of_them(recipe, has_latent: bool, tmp_path) -> None:
    model = trained(recipe, tmp_path)
    assert model.has_latent is has_latent
    if not has_latent:
        with pytest.raises(UserError, match="is not a model of latent vectors"):
            model.sample_latent(3, generator())
        x = model.sample(3)
        assert model.as_events(x, generator()) is x
        return
    z = model.sample_latent(3, generator(1))
    if "prior" in model.phases:
        assert torch.equal(z, model.phases["prior"].sample(3, generator(1)))
        longer = model.phases["prior"].sample(3, generator(1), steps=9)
        assert torch.equal(model.sample_latent(3, generator(1), steps=9), longer)
    else:
        assert torch.equal(z, model.players["generator"].latent.sample(3, generator(1)))
        with pytest.raises(UserError, match='has no phase "prior"'):
            model.sample_latent(3, generator(1), steps=9)
    # events and latent vectors are both [2] here: chains of such a model are of latent vectors
    assert torch.equal(model.as_events(z, generator(1)), model.decode(z, generator(1)))
    assert torch.equal(model.decode(z, generator(1)), model.trainer.decode(z, generator(1)))


def test_events_and_latent_vectors_are_told_apart_by_their_shape(tmp_path) -> None:
    data = {"data": {"name": "normal", "n": 64, "dim": (1, 2, 3)}}
    model = trained(VAE_EXAMPLE | {"data": data}, tmp_path)
    x, z = torch.randn(5, 1, 2, 3, generator=generator()), torch.randn(5, 2, generator=generator())
    assert model.as_events(x, generator()) is x
    assert model.as_events(z, generator()).shape == x.shape
    assert model.infer(Batch(x), generator()).shape == z.shape


def test_many_rows_are_computed_in_parts(latent: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[tuple[str, int]] = []

    def infer(batch: Batch, rng: torch.Generator) -> Tensor:
        sizes.append(("infer", len(batch)))
        return batch.x + 1

    def decode(z: Tensor, rng: torch.Generator, condition: Tensor) -> Tensor:
        sizes.append(("decode", len(z)))
        return z + condition[:, None]

    monkeypatch.setattr(latent.trainer, "infer", infer)
    monkeypatch.setattr(latent.trainer, "decode", decode)
    x = NormalSamples(n=600, dim=2).x
    assert torch.equal(latent.infer(Batch(x), generator()), x + 1)
    rows = torch.arange(600.0)
    assert torch.equal(latent.decode(x, generator(), rows), x + rows[:, None])
    assert sizes == [("infer", 250), ("infer", 250), ("infer", 100), *[("decode", n) for n in (250, 250, 100)]]


@pytest.mark.parametrize(
    ("event", "rows"),
    [((), 250), ((2,), 250), ((3, 64, 64), 250), ((3, 128, 128), 62), ((16, 3, 64, 64), 15), ((9999, 9999), 1),
     ((None, 3), 250), (Space((None, 40_000)).shape, 76)],
)  # fmt: skip
def test_large_events_are_computed_fewer_at_a_time(event: tuple[int | None, ...], rows: int) -> None:
    assert rows_at_once(event) == rows


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_inferred_vectors_that_are_not_finite_are_an_error(latent: Model, monkeypatch, value: float) -> None:
    monkeypatch.setattr(latent.trainer, "infer", lambda batch, rng: torch.full((len(batch), 2), value))
    with pytest.raises(UserError, match="latent-example: the inferred latent vectors are not finite"):
        latent.infer(Batch(torch.zeros(3, 2)), generator())


def test_a_model_without_latent_vectors_infers_none(tmp_path) -> None:
    model = trained(MLE_EXAMPLE, tmp_path)
    with pytest.raises(UserError, match="has no latent vector to infer"):
        model.infer(Batch(torch.zeros(3, 1)), generator())
    with pytest.raises(UserError, match="has no generator to decode"):
        model.decode(torch.zeros(3, 1), generator())
