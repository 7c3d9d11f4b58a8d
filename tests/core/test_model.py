"""What a trained model offers to metrics, tasks and renderers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

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
from ebmsuite.density import Density, Gaussian
from ebmsuite.errors import UserError
from ebmsuite.experiment.train import train
from ebmsuite.learning import Players
from ebmsuite.memory import MADE, chunk_size, numbers_per_row, rows_at_once
from ebmsuite.methods.latent import LatentPrior
from ebmsuite.methods.likelihood import NormalisedLikelihood
from ebmsuite.model import Model, load
from ebmsuite.nets.mlp import Quadratic
from ebmsuite.nets.sequences.decoders import lstm
from ebmsuite.sampling import Langevin, Noise, Phase
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


WORDS, ROWS, GIB = Space((None,), kind="tokens", classes=10_000, longest=82), 6144, 2**30


def test_what_a_net_makes_limits_the_rows_that_are_computed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chains on z, inference and decoding with a vocabulary of 10,000 and 82 tokens per row."""
    net = lstm(WORDS, Space((32,)), embedding=2, width=4)
    made: list[int] = []

    def log_prob(x: Tensor, z: Tensor, condition: Tensor | None = None) -> Tensor:
        made.append(x.numel() * net.classes)
        return -z.square().sum(1)

    def decode(z: Tensor, rng: torch.Generator, condition: Tensor | None = None) -> Tensor:
        made.append(len(z) * net.longest * net.classes)
        return torch.zeros(len(z), net.longest, dtype=torch.int64)

    monkeypatch.setattr(net, "log_prob", log_prob)
    monkeypatch.setattr(net, "decode", decode)
    players = Players({"generator": net, "energy": Quadratic(Space((32,)))}, {})
    phases = {
        k: Phase(e, Langevin(0.1), Noise(Gaussian(Space((32,)))), 1) for k, e in LatentPrior.energies(players).items()
    }
    model = object.__new__(Model)
    model.trainer, model.event, model.device = LatentPrior(players, phases), WORDS, torch.device("cpu")
    model.players, model.phases = players, phases
    x = torch.ones(ROWS, 82, dtype=torch.int64)
    for use in (
        lambda: phases["posterior"].sample(ROWS, generator(), (x, None)),
        lambda: model.trainer.infer(Batch(x), generator()),
        lambda: model.infer(Batch(x), generator()),
        lambda: model.trainer.sample(ROWS, generator()),
        lambda: model.decode(torch.zeros(ROWS, 32), generator()),
    ):
        made.clear()
        assert len(use()) == ROWS
        assert 4 * max(made) < 2 * GIB  # float32
        assert sum(made) >= ROWS * 82 * net.classes
        assert len(made) < 100


def test_nets_that_declare_nothing_have_the_limits_of_their_events() -> None:
    plain, wide = nn.Linear(2, 2), nn.Linear(2, 2)
    wide.numbers_per_row = MADE // 7  # type: ignore[assignment]
    assert numbers_per_row() == numbers_per_row(plain) == 0
    assert numbers_per_row(plain, nn.Sequential(plain, wide)) == MADE // 7
    assert rows_at_once((2,), plain) == 250
    assert rows_at_once((2,), plain, wide) == 7
    assert rows_at_once((), plain, most=1000) == 1000
    assert (chunk_size((784,), plain), chunk_size((32,)), chunk_size((32,), wide)) == (250, 6144, 7)
    wide.numbers_per_row = 9 * MADE  # type: ignore[assignment]
    assert chunk_size((32,), wide) == rows_at_once((2,), wide) == 1


class Conditional(Density):
    """N(c, diag(1, 4)) given c [B, 2]."""

    def sample(self, n: int, rng: torch.Generator, condition: Tensor | None = None) -> Tensor:
        return condition + torch.tensor([1.0, 2.0]) * torch.randn(n, 2, generator=rng)


def conditional_model() -> Model:
    model = object.__new__(Model)
    model.recipe = SimpleNamespace(recipe="some/recipe")  # type: ignore[assignment]
    model.trainer = NormalisedLikelihood(Players({"density": Conditional()}, {}), {})
    model.players, model.device = model.trainer.players, torch.device("cpu")
    model.event = model.condition = Space((2,))
    model.step = 0
    return model


def test_k_samples_for_each_condition() -> None:
    model, k = conditional_model(), 4000
    c = torch.tensor([[0.0, 0.0], [5.0, -3.0], [0.0, 100.0]])
    x = model.sample_for(Batch(torch.empty(3, 0), c, meta={"name": np.array(["a", "b", "c"])}), k, generator())
    assert x.shape == (3, k, 2)
    centred = x - c[:, None]
    assert float(centred.mean(1).abs().max()) < 4 * 2 / k**0.5
    covariance = torch.einsum("bki,bkj->bij", centred, centred) / k
    assert float((covariance - torch.diag(torch.tensor([1.0, 4.0]))).abs().max()) < 5 * 4 * (2 / k) ** 0.5
    flat = centred.flatten(1)
    assert float(torch.corrcoef(flat).fill_diagonal_(0).abs().max()) < 4 / (2 * k) ** 0.5  # rows are independent
    assert len(x.flatten(0, 1).unique(dim=0)) == 3 * k  # so are the samples of a row
    # the same distribution as `sample` with the condition repeated; the same draws if they fit into one part
    few = model.sample_for(Batch(torch.empty(3, 0), c), 5, generator(1))
    assert torch.equal(few.flatten(0, 1), model.sample(15, condition=c.repeat_interleave(5, 0), rng=generator(1)))
    many = model.sample(3 * k, condition=c.repeat_interleave(k, 0), rng=generator(2)).view(3, k, 2)
    assert float((many.mean(1) - x.mean(1)).abs().max()) < 5 * 2 * (2 / k) ** 0.5


def test_samples_for_conditions_that_do_not_fit() -> None:
    model = conditional_model()
    with pytest.raises(UserError, match="k, the number of samples per condition, must be at least 1, got 0"):
        model.sample_for(Batch(torch.empty(2, 0), torch.zeros(2, 2)), 0, generator())
    with pytest.raises(UserError, match="the condition does not fit the model"):
        model.sample_for(Batch(torch.empty(2, 0), torch.zeros(2, 3)), 2, generator())


def test_samples_of_latent_vectors_are_decoded_with_their_condition(tmp_path) -> None:
    data = {"data": {"name": "normal", "n": 64, "dim": 2, "labels": True}}
    model = trained(VAE_EXAMPLE | {"data": data}, tmp_path)
    c = torch.tensor([0, 1, 1])
    x = model.sample_for(Batch(torch.empty(3, 0), c), 4, generator(1))
    many = c.repeat_interleave(4)
    z = model.players["generator"].latent.sample(12, generator(1), many)
    assert torch.equal(x.flatten(0, 1), model.decode(z, generator(1), many))
    assert not torch.equal(x.flatten(0, 1), model.decode(z, generator(1), 1 - many))


def test_temperature_is_for_discrete_events(latent: Model, tmp_path) -> None:
    mle = trained(MLE_EXAMPLE, tmp_path)
    for use in (
        lambda **how: latent.sample(3, **how),
        lambda **how: latent.decode(torch.zeros(3, 2), generator(), **how),
        lambda **how: latent.sample_for(Batch(torch.empty(3, 0)), 2, generator(), **how),
        lambda **how: mle.sample(3, **how),
    ):
        for how in ({"temperature": 0.5}, {"likeliest": True}):
            with pytest.raises(UserError, match="temperature and likeliest are for a generator that draws discrete"):
                use(**how)
    with pytest.raises(UserError, match="the same at every temperature"):
        latent.sample(3, temperature=0.5, likeliest=True)


def test_the_condition_is_written_with_the_samples(tmp_path) -> None:
    model, seen = conditional_model(), []
    batch = Batch(
        torch.empty(2, 0), {"a": torch.arange(2), "b": (torch.zeros(2, 3), None)}, meta={"name": np.array(["x", "y"])}
    )
    model.codec = SimpleNamespace(write=lambda x, path, batch: seen.append(batch))  # type: ignore[assignment]
    model.write(torch.ones(2, 2), tmp_path / "x.csv", batch)
    model.write(torch.ones(2, 2), tmp_path / "x.csv")
    assert seen == [batch, None]
    model.write(torch.ones(2, 2), tmp_path / "x.safetensors", batch)
    stored = load_file(tmp_path / "x.safetensors")
    assert sorted(stored) == ["condition.a", "condition.b.#0", "x"]
    assert stored["condition.a"].tolist() == [0, 1]


def test_rows_of_a_batch_keep_their_facts() -> None:
    meta = {"name": np.array(["a", "b", "c"]), "frame": np.array([[1, 2], [3, 4], [5, 6]])}
    batch = Batch(torch.arange(3.0), {"c": torch.arange(3)}, meta=meta, truth=torch.arange(3) * 10)
    twice = batch.repeat_interleave(2).to("cpu")
    assert twice.meta["name"].tolist() == ["a", "a", "b", "b", "c", "c"]
    assert twice.truth.tolist() == [0, 0, 10, 10, 20, 20]
    parts = list(batch.parts(2))
    assert [p.meta["frame"].tolist() for p in parts] == [[[1, 2], [3, 4]], [[5, 6]]]
    chosen = batch.take(torch.tensor([2, 0]))
    assert (chosen.meta["name"].tolist(), chosen.condition["c"].tolist(), len(chosen)) == (["c", "a"], [2, 0], 2)
    assert next(Batch(torch.zeros(2)).parts(1)).meta is None


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
