"""Tasks and renderers on a model that is known: chains are pulled to one picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import ebmsuite.model as core
from ebmsuite.density import Uniform
from ebmsuite.energy import Tilted
from ebmsuite.errors import DataError, RecipeError, UserError
from ebmsuite.learning.trainer import Draws
from ebmsuite.pictures.renderers import Chain, Samples, SheetAndFilm
from ebmsuite.pictures.sheets import sheet
from ebmsuite.sampling import Buffer, Chains, Data, Langevin, Noise, Phase, Start
from ebmsuite.space import Space
from ebmsuite.tree import Tree
from ebmsuite_image.codec import Pixels
from ebmsuite_image.tasks.generate import Generate
from ebmsuite_image.tasks.inpaint import Inpaint
from ebmsuite_image.tasks.interpolate import Interpolate
from ebmsuite_image.tasks.reconstruct import Reconstruct

EVENT = Space((1, 8, 8), range=(-1.0, 1.0))
MODE = torch.linspace(-0.8, 0.8, 64).view(1, 8, 8)
LANGEVIN = Langevin(gradient_weight=0.05, noise_scale=0.01)


class Pull(nn.Module):
    """f(x) = -a |x - MODE|^2 / 2, plus a quartic term so that the chain is no linear map."""

    def __init__(self, a: float = 1.0, quartic: float = 0.0) -> None:
        super().__init__()
        self.a, self.quartic = nn.Parameter(torch.tensor(a)), quartic

    def forward(self, x: Tensor) -> Tensor:
        away = (x - MODE.to(x)).flatten(1)
        return -(self.a * away.square() / 2 + self.quartic * away**4).sum(1)


@dataclass(frozen=True)
class Leapfrog:
    """Another sampler, by name."""


class Model(core.Model):
    """A model of pictures that is no run's."""

    def __init__(
        self,
        chains: Chains | None = None,
        sampler: Any = LANGEVIN,
        steps: int = 20,
        net: nn.Module | None = None,
    ):
        energy = Tilted(net or Pull(), Uniform(EVENT))
        self.phases = {"negative": Phase(energy, sampler, chains or Noise(Uniform(EVENT)), steps)}
        self.players = {"energy": energy}
        self.trainer = SimpleNamespace(draws={"negative": Draws("event")})  # type: ignore[assignment]
        self.recipe = SimpleNamespace(recipe="image/pull", latent=None)  # type: ignore[assignment]
        self.event, self.device = EVENT, torch.device("cpu")
        self.codec = Pixels((8, 8), 1)

    def sample(self, n: int, seed: int = 0, condition: Tree = None, rng: torch.Generator | None = None) -> Tensor:
        return self.phases["negative"].sample(n, rng or generator(seed))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def apply(task: Any, model: Any, inputs: Path | None, out: Path) -> dict[str, Any]:
    return task(model, inputs, out, generator())


def tile(picture: np.ndarray[Any, Any], row: int, column: int, side: int = 8, pad: int = 2) -> np.ndarray[Any, Any]:
    top, left = pad + row * (side + pad), pad + column * (side + pad)
    return picture[top : top + side, left : left + side]


def grid(x: Tensor, columns: int | None = None) -> np.ndarray[Any, Any]:
    return sheet(Pixels((8, 8), 1).show(x), columns)


def shown(x: Tensor) -> np.ndarray[Any, Any]:
    return grid(x[None])


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of three pictures."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i, x in enumerate(torch.rand(3, 1, 1, 8, 8, generator=generator(5)) * 2 - 1):
        Image.fromarray(grid(x)).save(folder / f"{i}.png")
    return folder


# -- generate -----------------------------------------------------------------------------------------------


def test_generate_writes_what_the_model_samples(tmp_path: Path) -> None:
    facts = apply(Generate(n=5), Model(), None, tmp_path / "x.npy")
    x = np.load(tmp_path / "x.npy")
    np.testing.assert_array_equal(x, Model().sample(5, rng=generator()).numpy())
    assert facts["samples"] == 5
    assert facts["lowest"] == pytest.approx(x.min())


def test_generate_with_other_steps(tmp_path: Path) -> None:
    apply(Generate(n=5, steps=400), Model(), None, tmp_path / "x.npy")
    x = torch.from_numpy(np.load(tmp_path / "x.npy"))
    assert x.shape == (5, 1, 8, 8)
    assert (x - MODE).abs().max() < 0.2


def test_runaway_chains_are_an_error(tmp_path: Path) -> None:
    model = Model(sampler=Langevin(gradient_weight=100.0, noise_scale=0.01))
    with pytest.raises(UserError, match="not finite"):
        apply(Generate(n=2, steps=200), model, None, tmp_path / "x.npy")
    longer = Model(sampler=model.phases["negative"].sampler, steps=200)
    with pytest.raises(UserError, match="not finite"):
        apply(Interpolate(pairs=2, points=2), longer, None, tmp_path / "x.png")
    assert not list(tmp_path.iterdir())


# -- interpolate --------------------------------------------------------------------------------------------


def test_interpolate_writes_a_row_a_pair(tmp_path: Path) -> None:
    facts = apply(Interpolate(pairs=3, points=4), Model(), None, tmp_path / "between.png")
    picture = np.array(Image.open(tmp_path / "between.png"))
    assert picture.shape == (3 * 10 + 2, 4 * 10 + 2)
    assert facts == {"pairs": 3, "points": 4, "steps": 20}
    rng = generator()
    first = Uniform(EVENT).sample(3, rng)
    Uniform(EVENT).sample(3, rng)
    ends = Model().phases["negative"].refine(Start(first), rng)
    np.testing.assert_array_equal(tile(picture, 1, 0), shown(ends[1]))


def test_inputs_and_settings_that_a_task_would_ignore_are_errors(tmp_path: Path, pictures: Path) -> None:
    out = tmp_path / "x.png"
    for task, inputs, message in (
        (Interpolate(), pictures, "interpolate goes between samples of this model.*leave out the input"),
        (Interpolate(scale="unit"), None, "scale is that of the input, and there is none"),
        (Generate(), pictures, "generate draws pictures and uses none: leave out the input"),
        (Reconstruct(descent=3), pictures, "descent is for a model with a generator"),
        (Reconstruct(scale="unit"), pictures, "picture files have a scale of their own"),
    ):
        with pytest.raises(UserError, match=message):
            apply(task, Model(), inputs, out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (Generate, {"n": 0}, "generate: n is 0; it must be at least 1"),
        (Generate, {"steps": -1}, "generate: steps is -1; it must be at least 0"),
        (Interpolate, {"points": 1}, "interpolate: points is 1; it must be at least 2"),
        (Interpolate, {"pairs": 0}, "interpolate: pairs is 0"),
        (Reconstruct, {"n": -1}, "reconstruct: n is -1"),
        (Inpaint, {"n": 0}, "inpaint: n is 0"),
    ],
)
def test_counts_that_make_no_sense(make: Any, settings: dict[str, int], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        make(**settings)


@pytest.mark.parametrize("task", [Generate(), Inpaint()])
@pytest.mark.parametrize("shape", [(2,), (2, 8, 8), (None, 3)])
def test_a_model_of_other_events_is_one_line(
    task: Any, shape: tuple[int | None, ...], tmp_path: Path, pictures: Path
) -> None:
    model = Model()
    model.event = Space(shape)
    inputs = pictures if isinstance(task, Inpaint) else None
    with pytest.raises(UserError, match=r"needs a model of pictures \[1 or 3, height, width\]"):
        apply(task, model, inputs, tmp_path / "x.png")


def test_what_was_left_out_of_the_input_is_a_fact(tmp_path: Path, pictures: Path) -> None:
    (pictures / "notes.txt").touch()
    facts = apply(Inpaint(steps=1, n=2), Model(), pictures, tmp_path / "x.png")
    assert (facts["pictures"], facts["of"]) == (2, 3)
    assert facts["skipped"] == "1 with an unsupported ending (notes.txt)"


@pytest.mark.parametrize("task", [Inpaint(steps=1, n=3), Reconstruct(iterations=1, steps=1, n=3)])
def test_resized_pictures_are_a_fact(task: Any, tmp_path: Path, pictures: Path) -> None:
    assert "resized" not in apply(task, Model(), pictures, tmp_path / "x.png")
    for name in ("1", "2", "3"):  # the last is not among the first three
        Image.new("L", (16, 16)).save(pictures / f"{name}.png")
    facts = apply(task, Model(), pictures, tmp_path / "x.png")
    assert facts["resized"] == "2 pictures from 16x16 to 8x8"


def test_a_scale_is_passed_on(tmp_path: Path) -> None:
    unit = torch.rand(2, 1, 8, 8, generator=generator(1))
    for name, x in (("unit", unit), ("signed", 2 * unit - 1)):
        np.save(tmp_path / f"{name}.npy", x.numpy())
    with pytest.raises(DataError, match="Say scale=unit or scale=signed"):
        apply(Inpaint(steps=2), Model(), tmp_path / "unit.npy", tmp_path / "x.png")
    found = [
        apply(Inpaint(steps=2, scale=scale), Model(), tmp_path / f"{name}.npy", tmp_path / "x.png")["mse_in_hole"]
        for name, scale in (("unit", "unit"), ("signed", None), ("signed", "signed"))
    ]
    assert found[1:] == [pytest.approx(found[0], rel=1e-5)] * 2


@pytest.mark.parametrize("task", [Interpolate(), Reconstruct()])
def test_other_chains_have_no_code_to_interpolate(task: Any, tmp_path: Path, pictures: Path) -> None:
    with pytest.raises(UserError, match=r"short-run.*Buffer"):
        apply(task, Model(Buffer(Uniform(EVENT), 8)), pictures, tmp_path / "x.png")


# -- reconstruct --------------------------------------------------------------------------------------------


def test_reconstruct_lowers_the_error(tmp_path: Path, pictures: Path) -> None:
    model, out = Model(net=Pull(quartic=0.1)), tmp_path / "again.png"
    facts = apply(Reconstruct(iterations=60, n=2, steps=8), model, pictures, out)
    assert facts["mse"] < 0.1 * facts["mse_at_random_start"]
    assert (facts["pictures"], facts["of"], facts["steps"]) == (2, 3, 8)
    picture = np.array(Image.open(out))
    assert picture.shape == (2 * 10 + 2, 2 * 10 + 2)
    np.testing.assert_array_equal(tile(picture, 0, 1), np.array(Image.open(pictures / "1.png")))
    # the model is as it was
    assert all(p.requires_grad and p.grad is None for p in model.players["energy"].parameters())


def test_reconstruct_unrolls_langevin_only(tmp_path: Path, pictures: Path) -> None:
    with pytest.raises(UserError, match="unrolls Langevin chains, not those of Leapfrog"):
        apply(Reconstruct(), Model(sampler=Leapfrog()), pictures, tmp_path / "x.png")


# -- inpaint ------------------------------------------------------------------------------------------------


def test_inpaint_writes_three_rows(tmp_path: Path, pictures: Path) -> None:
    out = tmp_path / "whole.png"
    facts = apply(Inpaint(box=(0, 0, 8, 4), steps=300), Model(), pictures, out)
    picture = np.array(Image.open(out))
    assert picture.shape == (3 * 10 + 2, 3 * 10 + 2)
    original = np.array(Image.open(pictures / "2.png"))
    np.testing.assert_array_equal(tile(picture, 2, 2), original)
    np.testing.assert_array_equal(tile(picture, 0, 2)[:, 4:], original[:, 4:])
    np.testing.assert_array_equal(tile(picture, 1, 2)[:, 4:], original[:, 4:])
    assert (tile(picture, 0, 2)[:, :4] == 128).all()
    assert np.abs(tile(picture, 1, 2)[:, :4].astype(float) - shown(MODE)[:, :4]).max() < 20
    x = Pixels((8, 8), 1).read(pictures).x
    expected = (x - MODE)[..., :4].square().mean().item()
    assert facts["mse_in_hole"] == pytest.approx(expected, rel=0.05)
    assert (facts["hole"], facts["pictures"], facts["steps"]) == (0.5, 3, 300)


def test_holes() -> None:
    middle = Inpaint().hole(8, 8)
    assert middle.sum() == 16
    assert middle[2:6, 2:6].all()
    for box in ((-1, 0, 2, 2), (0, 0, 9, 2), (7, 7, 2, 1), (0, 0, 0, 2)):
        with pytest.raises(UserError, match="not inside a picture of 8x8"):
            Inpaint(box=box).hole(8, 8)


def test_masks(tmp_path: Path) -> None:
    white = np.zeros((8, 8), np.uint8)
    white[1, 2] = 255
    for name, pixels in {"m": white, "black": 0 * white, "big": np.zeros((9, 8), np.uint8)}.items():
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    (tmp_path / "text.png").write_text("not a picture")
    hole = Inpaint(mask=str(tmp_path / "m.png")).hole(8, 8)
    assert hole.nonzero().tolist() == [[1, 2]]
    wrong = {"black": "has no hole", "big": "the mask is 9x8", "none": "none.png", "text": "text.png"}
    for name, message in wrong.items():
        with pytest.raises(UserError, match=message):
            Inpaint(mask=str(tmp_path / f"{name}.png")).hole(8, 8)
    with pytest.raises(UserError, match="give one of them"):
        Inpaint(mask=str(tmp_path / "m.png"), box=(0, 0, 1, 1)).hole(8, 8)


def test_inpainting_needs_noise_to_begin_with(tmp_path: Path, pictures: Path) -> None:
    with pytest.raises(UserError, match="chains of kind Data have no noise"):
        apply(Inpaint(), Model(Data()), pictures, tmp_path / "x.png")


# -- all of them --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", [Interpolate(), Reconstruct(), Inpaint()])
def test_the_output_must_be_a_picture(task: Any, tmp_path: Path, pictures: Path) -> None:
    for out in (tmp_path / "x.jpg", tmp_path):
        with pytest.raises(UserError, match=r"ends in \.png"):
            apply(task, Model(), pictures, out)


@pytest.mark.parametrize("task", [Reconstruct(), Inpaint()])
def test_inputs_that_do_not_fit(task: Any, tmp_path: Path, pictures: Path) -> None:
    with pytest.raises(UserError, match="give it a picture or a folder"):
        apply(task, Model(), None, tmp_path / "x.png")
    colour, silent = Model(), Model()
    colour.codec, silent.codec = Pixels((8, 8), 3), None
    with pytest.raises(DataError, match=r"shape \(3, 8, 8\), the model's are \(1, 8, 8\)"):
        apply(task, colour, pictures, tmp_path / "x.png")
    with pytest.raises(UserError, match="no codec"):
        apply(task, silent, pictures, tmp_path / "x.png")


# -- renderers ----------------------------------------------------------------------------------------------


def test_film_goes_from_start_to_sample(tmp_path: Path) -> None:
    model = Model()
    files = Chain(frames=6, chains=3)(model, tmp_path, generator(9), 64)
    assert files == [tmp_path / "film.png", tmp_path / "film.gif"]
    strip = np.array(Image.open(files[0]))
    assert strip.shape == (3 * 10 + 2, 6 * 10 + 2)
    ends = model.phases["negative"].sample(3, generator(9))
    starts = Uniform(EVENT).sample(3, generator(9))
    for row in range(3):
        np.testing.assert_array_equal(tile(strip, row, 0), shown(starts[row]))
        np.testing.assert_array_equal(tile(strip, row, 5), shown(ends[row]))
    with Image.open(files[1]) as film:
        assert film.n_frames == 21  # 20 steps and the start: fewer than 4 * 6 moments
        assert film.info["loop"] == 0
        durations = []
        for frame in range(film.n_frames):
            film.seek(frame)
            durations.append(film.info["duration"])
        assert durations == [80] * 20 + [1600]
        np.testing.assert_array_equal(np.array(film.convert("L")), grid(ends))


def test_pictures_are_samples_and_a_film(tmp_path: Path) -> None:
    files = SheetAndFilm(columns=4, frames=3, chains=2)(Model(), tmp_path / "new", generator(9), 6)
    assert [f.name for f in files] == ["samples.png", "film.png", "film.gif"]
    picture = np.array(Image.open(files[0]))
    np.testing.assert_array_equal(picture, grid(Model().sample(6, rng=generator(9)), 4))
    assert sorted(f.name for f in (tmp_path / "new").iterdir()) == ["film.gif", "film.png", "samples.png"]


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Image.Image, file: Path, format: str) -> None:
        Path(file).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        Samples()(Model(), tmp_path, generator(), 4)
    assert not list(tmp_path.iterdir())


def test_film_of_a_phase_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="posterior"):
        Chain(phase="posterior")(Model(), tmp_path, generator(), 4)
