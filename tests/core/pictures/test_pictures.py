"""Renderers and tasks of core on events that are no images: a plugin gives only ``show``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ebmsuite_probe.pictures import Drawing, Moving
from PIL import Image

import ebmsuite
from ebmsuite.builtin.examples import LATENT_EXAMPLE, LATENT_REFINE_EXAMPLE, MLE_EXAMPLE, NOISE, VAE_EXAMPLE
from ebmsuite.dataset import Films, Shows, first
from ebmsuite.errors import DataError, PluginError, RecipeError, UserError
from ebmsuite.experiment.train import train
from ebmsuite.model import Model, load
from ebmsuite.pictures.events import draw, write_events
from ebmsuite.pictures.neighbours import nearest, neighbours
from ebmsuite.pictures.renderers import Chain, Neighbours, Reconstructions, Samples
from ebmsuite.pictures.sheets import captioned, sheet, titled
from ebmsuite.plugins import conformance
from ebmsuite.plugins.testing import watched_by
from ebmsuite.space import Batch
from ebmsuite.tokens import Tokenised, TokenRows

SHORT_RUN: dict[str, Any] = {
    **MLE_EXAMPLE,
    "recipe": "curves",
    "data": {"data": {"name": "probe/drawn"}},
    "players": {"energy": {"name": "mlp", "width": 8, "depth": 1}},
    "phases": {"negative": {"chains": NOISE, "sampler": {"name": "langevin", "step_size": 0.2}, "steps": 6}},
    "budget": {"steps": 2, "batch": 8},
}
LATENT: dict[str, Any] = {
    **LATENT_EXAMPLE,
    "recipe": "colours",
    "data": {"data": {"name": "probe/drawn", "dim": [3, 8, 8], "moving": True}},
    "budget": {"steps": 2, "batch": 8},
}
QUIET = watched_by()


@pytest.fixture(scope="module")
def curves(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Signals [1, 16], by short-run chains."""
    return load(train(SHORT_RUN, QUIET, out=tmp_path_factory.mktemp("curves") / "run", quiet=True))


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Films of pictures [3, 8, 8], by a latent energy."""
    return load(train(LATENT, QUIET, out=tmp_path_factory.mktemp("colours") / "run", quiet=True))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pixels(path: Path) -> np.ndarray:
    return np.array(Image.open(path))


def frames(path: Path) -> int:
    with Image.open(path) as film:
        return film.n_frames


# -- the protocol --------------------------------------------------------------------------------------------


def test_codecs_that_draw() -> None:
    assert isinstance(Drawing(), Shows)
    assert not isinstance(Drawing(), Films)
    assert isinstance(Moving(), Films)


class Wrong(Drawing):
    def __init__(self, made: Any) -> None:
        object.__setattr__(self, "made", made)

    def show(self, x: torch.Tensor, batch: Batch | None = None) -> torch.Tensor:
        return self.made(x)

    def frames(self, x: torch.Tensor) -> torch.Tensor:
        return self.made(x)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda x: torch.zeros(2, 4, 4), r"not torch.float32 \[2, 4, 4\]"),
        (lambda x: torch.zeros(1, 4, 4, dtype=torch.uint8), r"with N = 2, not torch.uint8 \[1, 4, 4\]"),
        (lambda x: torch.zeros(2, 4, 4, 4, dtype=torch.uint8), r"not torch.uint8 \[2, 4, 4, 4\]"),
        (lambda x: torch.zeros(2, 4, dtype=torch.uint8), r"not torch.uint8 \[2, 4\]"),
        (lambda x: torch.zeros(2, 0, 4, dtype=torch.uint8), r"not torch.uint8 \[2, 0, 4\]"),
        (lambda x: np.zeros((2, 4, 4), np.uint8), "not ndarray"),
    ],
)
def test_what_a_codec_draws_is_checked(made: Any, message: str) -> None:
    with pytest.raises(PluginError, match=r'"probe/drawing": show must return uint8 \[N, H, W\].*' + message):
        draw(Wrong(made), torch.zeros(2, 1, 16))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda x: torch.randint(256, (len(x), 40, 40), dtype=torch.uint8), "two drawings of the same events differ"),
        (lambda x: ((x - x.mean(0)) * 100).to(torch.uint8), "depends on the other events"),
        (lambda x: x, "must return uint8"),
    ],
)
def test_the_kit_checks_what_a_codec_draws(made: Any, message: str) -> None:
    batch = Batch(torch.rand(3, 40, 40, generator=generator()))
    with pytest.raises((AssertionError, PluginError), match=message):
        conformance._pictures_are_sound(Wrong(made), batch)
    for codec in (Drawing(), Moving()):
        conformance._pictures_are_sound(codec, Batch(torch.rand(3, 1, 16, generator=generator())))
    moving = Moving()
    object.__setattr__(moving, "frames", lambda x: torch.zeros(len(x), 2, 2, dtype=torch.uint8))
    with pytest.raises(PluginError, match=r"frames must return uint8 \[N, T, H, W\]"):
        conformance._pictures_are_sound(moving, Batch(torch.rand(3, 1, 16)))


def test_events_without_show_are_one_line(curves: Model, tmp_path: Path) -> None:
    class Silent:
        name = "probe/silent"

    silent = load(train(MLE_EXAMPLE, QUIET, "budget.steps=1", out=tmp_path / "run", quiet=True))
    for task in ("film", "interpolate", "neighbours"):
        with pytest.raises(UserError, match=f"{task} draws events, but these events have no codec.*section Pictures"):
            ebmsuite.apply(silent, task, out=tmp_path / "x.png")
    silent.codec = Silent()  # type: ignore[assignment]
    for renderer in (Samples(), Chain(), Neighbours(), Reconstructions()):
        with pytest.raises(UserError, match='draws events, but the codec "probe/silent" has no method show'):
            renderer(silent, tmp_path / "new", generator(), 2)
    assert not (tmp_path / "new").exists()


# -- samples -------------------------------------------------------------------------------------------------


def test_samples_are_a_sheet(curves: Model, tmp_path: Path) -> None:
    (path,) = Samples(columns=3)(curves, tmp_path, generator(1), 5)
    x = curves.sample(5, rng=generator(1))
    np.testing.assert_array_equal(pixels(path), sheet(Drawing().show(x), 3))
    Samples(columns=3, captions="energy")(curves, tmp_path, generator(1), 5)
    energies = [f"{e:.4g}" for e in curves.energy(x).tolist()]
    np.testing.assert_array_equal(pixels(path), sheet(Drawing().show(x), 3, captions=energies))


def test_samples_that_move_are_a_film_too(colours: Model, tmp_path: Path) -> None:
    still, moving = Samples(columns=2)(colours, tmp_path, generator(1), 4)
    assert pixels(still).shape == (2 * 10 + 2, 2 * 10 + 2, 3)
    with Image.open(moving) as film:
        assert film.n_frames == 4
        film.seek(1)
        x = colours.sample(4, rng=generator(1)).roll(1, -1)
        np.testing.assert_array_equal(np.array(film.convert("RGB")), sheet(Moving().show(x), 2))
    with pytest.raises(UserError, match='captions="energy" needs an energy of events'):
        Samples(captions="energy")(colours, tmp_path, generator(), 2)


def test_samples_with_given_labels(tmp_path: Path) -> None:
    labelled = {**SHORT_RUN, "data": {"data": {"name": "probe/drawn", "labels": True}}}
    model = load(train(labelled, QUIET, "budget.steps=1", out=tmp_path / "run", quiet=True))
    (path,) = Samples(captions="label", given="test")(model, tmp_path, generator(2), 4)
    labels = first(model.data["test"]).condition
    assert isinstance(labels, torch.Tensor)
    chosen = labels[torch.randperm(64, generator=generator(0))[:4].sort().values]
    x = model.sample(4, rng=generator(2), condition=chosen)
    np.testing.assert_array_equal(pixels(path), sheet(Drawing().show(x), 8, captions=list(map(str, chosen.tolist()))))
    with pytest.raises(UserError, match=r'captions="label" needs .* given="test"'):
        Samples(captions="label")(model, tmp_path, generator(), 4)
    with pytest.raises(UserError, match=r'there are 64 conditions in "test" for n = 65'):
        Samples(given="test")(model, tmp_path, generator(), 65)
    Chain(frames=2, chains=3, given="train")(model, tmp_path, generator(), 1)
    Neighbours(given="train")(model, tmp_path, generator(), 2)
    for task in ("film", "neighbours"):
        ebmsuite.apply(model, task, out=tmp_path / f"{task}.png", given="test")
    assert {"film.png", "film.gif", "neighbours.png"} <= {p.name for p in tmp_path.iterdir()}
    plain = load(train(SHORT_RUN, QUIET, "budget.steps=1", out=tmp_path / "plain", quiet=True))
    with pytest.raises(UserError, match="the model is unconditional; leave out --from, --condition and given"):
        ebmsuite.apply(plain, "film", out=tmp_path / "no.png", given="test")


def test_a_model_writes_pictures_of_its_events(curves: Model, colours: Model, tmp_path: Path) -> None:
    x = curves.sample(4)
    curves.write(x, tmp_path / "x.png")
    np.testing.assert_array_equal(pixels(tmp_path / "x.png"), sheet(Drawing().show(x)))
    with pytest.raises(DataError, match="no such format"):
        curves.write(x, tmp_path / "x.gif")  # the codec has no frames, and does not write the format either
    with pytest.raises(UserError, match="needs a codec with a method frames"):
        write_events(curves.codec, x, tmp_path / "x.gif")
    for ending in ("gif", "webp"):
        colours.write(colours.sample(4), tmp_path / f"x.{ending}")
        assert frames(tmp_path / f"x.{ending}") == 4


# -- chains --------------------------------------------------------------------------------------------------


def test_the_chain_of_a_curve(curves: Model, tmp_path: Path) -> None:
    paths = Chain(frames=3, chains=2, format="webp")(curves, tmp_path, generator(3), 1)
    assert [p.name for p in paths] == ["film.png", "film.webp"]
    phase = curves.phase("negative")
    start = phase.chains.start(2, generator(3)).x
    ends = phase.sample(2, generator(3))
    strip = pixels(paths[0])
    assert strip.shape == (2 * 19 + 2, 3 * 18 + 2)
    for x, left in ((start, 2), (ends, 38)):
        np.testing.assert_array_equal(strip[2:19, left : left + 16], Drawing().show(x)[0])
    assert frames(paths[1]) == 7


def test_a_film_shows_all_phases_of_a_sample(tmp_path: Path) -> None:
    """The latent chains, decoded, and then the chains of events, in equal shares, up to the sample."""
    recipe = LATENT_REFINE_EXAMPLE | {"data": {"data": {"name": "probe/drawn"}}, "budget": {"steps": 9, "batch": 8}}
    model = load(train(recipe, QUIET, out=tmp_path / "run", quiet=True))
    path = Chain(frames=4, chains=2)(model, tmp_path, generator(3), 1)[0]
    z = model.phases["prior"].chains.start(2, generator(3)).x
    ends = model.sample(2, rng=generator(3))
    source = generator(3)
    begun = model.starts(2, source)
    strip = pixels(path)
    assert strip.shape == (2 * 19 + 2, 4 * 18 + 2)
    for column, x in enumerate((model.decode(z, source), None, begun, ends)):
        if x is not None:
            left = 18 * column + 2
            np.testing.assert_array_equal(strip[2:19, left : left + 16], Drawing().show(x)[0])
    plain = load(train(VAE_EXAMPLE | {"data": recipe["data"]}, QUIET, out=tmp_path / "vae", quiet=True))
    with pytest.raises(UserError, match="chain: vae-example draws its samples without chains"):
        Chain()(plain, tmp_path, generator(), 1)


def test_the_task_film(curves: Model, colours: Model, tmp_path: Path) -> None:
    facts = ebmsuite.apply(curves, "film", out=tmp_path / "x.gif", chains=4)
    assert facts == {"chains": 4, "frames": 7}
    assert frames(tmp_path / "x.gif") == 7
    ebmsuite.apply(colours, "film", out=tmp_path / "x.png", chains=2, frames=3)
    assert pixels(tmp_path / "x.png").shape == (2 * 10 + 2, 3 * 10 + 2, 3)
    with pytest.raises(UserError, match=r"name a file that ends in \.png, \.gif, \.webp or \.mp4"):
        ebmsuite.apply(curves, "film", out=tmp_path / "x.avi")
    with pytest.raises(UserError, match="leave out the input"):
        ebmsuite.apply(curves, "film", tmp_path / "x.gif", out=tmp_path / "y.gif")
    with pytest.raises(RecipeError, match="film: frames is 1; it must be at least 2"):
        ebmsuite.apply(curves, "film", out=tmp_path / "y.gif", frames=1)


# -- neighbours ----------------------------------------------------------------------------------------------


def test_nearest_examples_by_hand() -> None:
    x = torch.tensor([[0.0, 0.0], [5.0, 5.0]])
    known = torch.tensor([[3.0, 4.0], [0.0, 1.0], [0.0, 1.0], [5.0, 5.0], [9.0, 9.0]])
    index, distance = nearest(x, torch.split(known, 2), 3)
    assert index.tolist() == [[1, 2, 0], [3, 0, 4]]
    assert distance[0].tolist() == [1.0, 1.0, 5.0]
    assert distance[1].tolist() == pytest.approx([0.0, 5**0.5, 32**0.5])
    assert nearest(x, [known[:1]], 3)[0].tolist() == [[0], [0]]
    many, dim = torch.randn(700, 5, generator=generator()), torch.randn(9, 5, generator=generator(1))
    index, distance = nearest(dim, torch.split(many, 256), 4)
    whole = torch.cdist(dim.double(), many.double()).topk(4, largest=False)
    assert torch.equal(index, whole.indices)
    torch.testing.assert_close(distance, whole.values)


@pytest.mark.parametrize("which", ["curves", "colours"])
def test_a_copy_is_its_own_neighbour(which: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    model: Model = request.getfixturevalue(which)
    dataset = model.data["train"]
    x = first(dataset).x[[7, 3]]
    index, distance = neighbours(x, dataset, 2)
    assert index[:, 0].tolist() == [7, 3]
    assert distance[:, 0].tolist() == [0, 0]
    np.save(tmp_path / "x.npy", x.numpy())
    facts = ebmsuite.apply(model, "neighbours", tmp_path / "x.npy", out=tmp_path / "x.png", nearest=1, groups=1)
    assert facts == {"events": 2, "of": 2, "distance": "Euclidean distance", "mean_nearest": 0, "least_nearest": 0}
    picture = pixels(tmp_path / "x.png")
    side = Drawing().show(x)
    cells = captioned(torch.stack([side, side], 1).flatten(0, 1), ["1", "0", "2", "0"])
    width = cells.shape[2]
    body = picture[14:]
    left = (body.shape[1] - (2 * (width + 2) + 16)) // 2 + 8
    np.testing.assert_array_equal(body[8 : 8 + cells.shape[1], left : left + width], cells[0])
    np.testing.assert_array_equal(body[8 : 8 + cells.shape[1], left + width + 2 : left + 2 * width + 2], cells[1])


def test_rows_of_tokens_have_no_euclidean_distance() -> None:
    x = torch.tensor([[2, 3, 1]])
    rows = Tokenised(TokenRows.of([[2, 3, 1], [2, 1]]), 4)
    with pytest.raises(UserError, match="rows of tokens have no Euclidean distance; set features to an extractor"):
        neighbours(x, rows, 1)


def test_samples_beside_their_neighbours(curves: Model, tmp_path: Path) -> None:
    (path,) = Neighbours(nearest=2, among=10)(curves, tmp_path, generator(), 3)
    assert path.name == "neighbours.png"
    facts = ebmsuite.apply(curves, "neighbours", out=tmp_path / "x.png", n=3)
    x = curves.sample(3, rng=curves.generator(0)).flatten(1).double()
    expected = torch.cdist(x, first(curves.data["train"]).x.flatten(1).double()).amin(1)
    assert facts["samples"] == 3
    assert facts["mean_nearest"] == pytest.approx(expected.mean().item())
    assert facts["least_nearest"] == pytest.approx(expected.min().item())


# -- interpolations and reconstructions ----------------------------------------------------------------------


def test_interpolations_of_curves(curves: Model, tmp_path: Path) -> None:
    facts = ebmsuite.apply(curves, "interpolate", out=tmp_path / "x.png", pairs=2, points=4)
    assert facts == {"pairs": 2, "points": 4, "steps": 6}
    assert pixels(tmp_path / "x.png").shape == (2 * 19 + 2, 4 * 18 + 2)
    ebmsuite.apply(curves, "interpolate", out=tmp_path / "x.webp", pairs=2, points=4)
    assert frames(tmp_path / "x.webp") == 6  # there and back
    np.save(tmp_path / "x.npy", first(curves.data["test"]).x.numpy())
    with pytest.raises(UserError, match="Only a model with a generator can interpolate between given events"):
        ebmsuite.apply(curves, "interpolate", tmp_path / "x.npy", out=tmp_path / "no.png")


def test_interpolations_between_given_events(colours: Model, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", first(colours.data["test"]).x[:5].numpy())
    facts = ebmsuite.apply(colours, "interpolate", tmp_path / "x.npy", out=tmp_path / "x.png", points=3)
    assert facts == {"pairs": 2, "points": 3, "between": "events", "events": 4, "of": 5}
    assert pixels(tmp_path / "x.png").shape == (2 * 10 + 2, 3 * 10 + 2, 3)
    np.save(tmp_path / "flat.npy", np.zeros((4, 3, 8)))
    with pytest.raises(DataError, match=r"flat.npy: these are not events of the model: the shape is \[4, 3, 8\]"):
        ebmsuite.apply(colours, "interpolate", tmp_path / "flat.npy", out=tmp_path / "no.png")


def test_reconstructions(curves: Model, colours: Model, tmp_path: Path) -> None:
    for model, shape in ((curves, (2 * 19 + 2, 3 * 18 + 2)), (colours, (2 * 10 + 2, 3 * 10 + 2, 3))):
        x = first(model.data["test"]).x
        np.save(tmp_path / "x.npy", x.numpy())
        settings = {"n": 3} | ({"iterations": 5} if model is curves else {})
        facts = ebmsuite.apply(model, "reconstruct", tmp_path / "x.npy", out=tmp_path / "x.png", settings=settings)
        assert (facts["events"], facts["of"]) == (3, 64)
        picture = pixels(tmp_path / "x.png")
        assert picture.shape == shape
        np.testing.assert_array_equal(picture[2 : shape[0] // 2 - 1, 2 : 2 + x.shape[-1]], Drawing().show(x[:1])[0])
    (path,) = Reconstructions(columns=4)(colours, tmp_path, generator(), 6)
    assert pixels(path).shape == (4 * 10 + 2, 4 * 10 + 2, 3)
    with pytest.raises(UserError, match="reconstruct works on given events: name a file"):
        ebmsuite.apply(colours, "reconstruct", out=tmp_path / "x.png")


def test_titles_name_the_distance(curves: Model, tmp_path: Path) -> None:
    (path,) = Neighbours(nearest=1, groups=3)(curves, tmp_path, generator(), 3)
    picture = pixels(path)
    text = titled(
        np.full((1, picture.shape[1]), 255, np.uint8), "left: 1 to 3; right: nearest of train, Euclidean distance"
    )
    np.testing.assert_array_equal(picture[:14], text[:14])
