"""Pictures and tasks of a model that is known: its samples are given strings."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ebmsuite.errors import DataError, MissingData, UserError
from ebmsuite.plugins.discovery import Plugins
from ebmsuite.plugins.registry import Registry
from ebmsuite_molecule.codec import Strings
from ebmsuite_molecule.data import Molecules, zinc250k
from ebmsuite_molecule.render import Densities, Grid, GridAndDensities, density, neighbours, write_densities
from ebmsuite_molecule.tasks.generate import Generate
from ebmsuite_molecule.tasks.inputs import molecules


class Model:
    """What tasks and renderers use of `ebmsuite.model.Model`; samples are these strings, over and over."""

    def __init__(self, strings: list[str]) -> None:
        self.data: Any = {s: zinc250k(s, n=80, embedded=True) for s in ("train", "valid", "test")}
        self.strings, self.codec, self.device = strings, self.data["train"].codec, torch.device("cpu")

    def codec_as(self, kind: type[Strings]) -> Strings:
        assert isinstance(self.codec, kind)
        return self.codec

    def sample(self, n: int, seed: int = 0, rng: torch.Generator | None = None) -> Tensor:
        chosen = (self.strings * (n // len(self.strings) + 1))[:n]
        assert isinstance(self.codec, Strings)
        return self.codec.encode(chosen)


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def some(split: Literal["train", "valid", "test"], n: int) -> list[str]:
    dataset = zinc250k(split, n=n, embedded=True)
    assert isinstance(dataset, Molecules)
    return dataset.strings


def ink(path: Path, box: tuple[int, int, int, int]) -> bool:
    with Image.open(path) as picture:
        found = picture.convert("L").point(lambda v: 255 * (v < 200)).crop(box).getbbox()
    return found is not None


def test_the_grid_shows_samples_beside_their_neighbours(tmp_path: Path) -> None:
    model: Any = Model([*some("test", 3), "C1CC"])
    (path,) = Grid(pairs=2)(model, tmp_path, rng(), 4)
    assert path.name == "samples.png"
    with Image.open(path) as picture:
        assert picture.size == (4 * 180, 2 * 150)
    places = [(180 * (i % 4), 150 * (i // 4)) for i in range(8)]
    assert [ink(path, (x, y, x + 180, y + 150)) for x, y in places] == [True] * 7 + [False]
    (vector,) = Grid(pairs=2, format="svg")(model, tmp_path, rng(), 4)
    assert "<svg" in vector.read_text()


def test_neighbours_are_the_most_similar() -> None:
    known = some("train", 30)
    found = neighbours([known[7], "C1CC", ""], known)
    assert found == [(known[7], 1.0), ("", 0.0), ("", 0.0)]
    assert neighbours(["C1"], known) == [("", 0.0)]


@pytest.mark.slow
def test_densities_integrate_to_one_and_are_drawn(tmp_path: Path) -> None:
    at = np.linspace(-8, 8, 2001)
    assert np.trapezoid(density(np.random.default_rng(0).normal(size=500), at), at) == pytest.approx(1, abs=1e-3)
    model: Any = Model(some("valid", 40))
    (path,) = Densities(samples=40)(model, tmp_path, rng(), 1)
    with Image.open(path) as picture:
        width, height = picture.size
    for quarter in range(4):
        assert ink(path, (quarter * width // 4, 0, (quarter + 1) * width // 4, height))
    write_densities({"none": np.zeros((0, 4))}, tmp_path / "none.png")
    with Image.open(tmp_path / "none.png") as picture:
        assert picture.size == (width, height)


def test_pictures_of_a_model_without_valid_samples(tmp_path: Path) -> None:
    model: Any = Model(["C1CC"])
    files = GridAndDensities(samples=5)(model, tmp_path, rng(), 3)
    assert [f.name for f in files] == ["samples.png", "densities.png"]
    for file in files:
        with Image.open(file) as picture:
            assert min(picture.size) > 100


def test_generate_writes_and_counts(tmp_path: Path) -> None:
    train = some("train", 1)
    model: Any = Model(["CCO", "OCC", "C1CC", train[0]])
    facts = Generate(n=4)(model, None, tmp_path / "out.smi", rng())
    assert facts == {"samples": 4, "truncated": 0, "valid": 3, "distinct": 2, "novel": 1}
    assert (tmp_path / "out.smi").read_text().splitlines() == ["CCO", "OCC", "C1CC", train[0]]
    facts = Generate(n=4, check=True)(model, None, tmp_path / "checked.csv", rng())
    assert (facts["samples"], facts["valid"], facts["drawn"]) == (4, 4, 8)
    assert (tmp_path / "checked.csv").read_text().splitlines()[:3] == ["smiles", "CCO", "CCO"]
    none: Any = Model(["C1CC"])
    with pytest.raises(UserError, match="of 200 strings 0 are molecules"):
        Generate(n=2, check=True)(none, None, tmp_path / "none.smi", rng())
    assert not (tmp_path / "none.smi").exists()
    with pytest.raises(UserError, match=r"generate takes no input: .* leave out some\.smi"):
        Generate(n=2)(model, Path("some.smi"), tmp_path / "none.smi", rng())


def test_generate_counts_and_marks_what_was_cut_off(tmp_path: Path) -> None:
    model: Any = Model(["CCO", "CC"])
    whole = model.sample
    model.sample = lambda n, rng=None: whole(n, rng=rng)[:, :3]
    facts = Generate(n=4)(model, None, tmp_path / "out.smi", rng())
    assert (facts["samples"], facts["truncated"], facts["valid"]) == (4, 2, 2)
    assert (tmp_path / "out.smi").read_text(encoding="utf-8").splitlines() == ["CCO…", "CC"] * 2
    facts = Generate(n=4, check=True)(model, None, tmp_path / "out.smi", rng())
    assert (facts["samples"], facts["drawn"], facts["truncated"], facts["valid"]) == (4, 8, 4, 4)
    assert (tmp_path / "out.smi").read_text().split() == ["CC"] * 4


def test_without_the_training_data_novelty_is_not_told(tmp_path: Path) -> None:
    class Absent(dict[str, Any]):
        def __contains__(self, key: object) -> bool:
            raise MissingData("not here")

    model: Any = Model(["CCO"])
    model.data = Absent()
    assert Generate(n=2)(model, None, tmp_path / "out.smi", rng()) == {
        "samples": 2,
        "truncated": 0,
        "valid": 2,
        "distinct": 1,
    }


def test_tasks_read_a_users_file(tmp_path: Path) -> None:
    model: Any = Model(["CCO"])
    with pytest.raises(UserError, match="score works on molecules"):
        molecules(model, None, 3, "score")
    (tmp_path / "in.smi").write_text("CCO\nCC\nCN\n")
    x, n = molecules(model, tmp_path / "in.smi", 2, "score")
    assert (n, model.codec.decode(x)) == (3, ["CCO", "CC"])
    (tmp_path / "bad.smi").write_text("CCO\nC1C\n")
    with pytest.raises(DataError, match="line 2"):
        molecules(model, tmp_path / "bad.smi", 2, "score")


def test_what_is_registered_can_be_built() -> None:
    registry = Registry(Plugins())
    for kind in ("dataset", "codec", "metric", "task", "renderer"):
        for _, component in registry.list(kind, "molecule"):
            registry.parameters(kind, component.name)
    spec = registry.fill("metric", {"name": "molecule/distribution", "groups": ["properties"], "of": "n-gram"}, "m")
    assert registry.build("metric", spec).groups == ("properties",)
    spec = registry.fill("dataset", {"name": "molecule/zinc250k", "properties": ["logp"], "n": 20}, "d")
    assert len(registry.build("dataset", spec)) == 20
