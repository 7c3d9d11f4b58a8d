"""docs/plugins.md is enough to write plugins: two are made of its code and of what it says, and pass the kit."""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from PIL import Image

from ebmsuite.dataset import first
from ebmsuite.errors import UserError
from ebmsuite.evaluation.report import write_report
from ebmsuite.experiment.train import train
from ebmsuite.model import apply, load
from ebmsuite.plugins import conformance
from ebmsuite.plugins.registry import Registry
from ebmsuite.plugins.testing import entry_point, isolated_plugins, watched_by

__all__ = ["isolated_plugins"]

PAGE = (Path(__file__).parents[3] / "docs" / "plugins.md").read_text(encoding="utf-8")


def block(containing: str) -> str:
    """The block of code on the page that contains this text."""
    (found,) = [b for b in re.findall(r"```python\n(.*?)```", PAGE, re.S) if containing in b]
    return found


HEAD = """
from __future__ import annotations
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple
import numpy as np
import torch
from torch import Tensor, nn
from ebmsuite.dataset import Dataset, InMemory
from ebmsuite.density import Categorical, Density, Gaussian
from ebmsuite.energy import Tilted
from ebmsuite.errors import DataError
from ebmsuite.model import Model
from ebmsuite.scores import Score
from ebmsuite.space import Batch, Space
"""

ISING = """
class Spins(InMemory):
    '''Correlated spins of -1 and 1 on a 6 x 6 lattice: the signs of a smoothed field.'''

    def __init__(self, split: Literal["train", "valid", "test"] = "train", n: int = 200) -> None:
        rng = torch.Generator().manual_seed(["train", "valid", "test"].index(split))
        field = torch.randn(n, 6, 6, generator=rng)
        super().__init__(torch.where(field + field.roll(1, 1) + field.roll(1, 2) > 0, 1.0, -1.0), range=(-1.0, 1.0))


class Coin(Density):
    '''Each spin is -1 or 1 with probability 1/2.'''

    def __init__(self, event: Space) -> None:
        super().__init__()
        self.event = event

    def sample(self, n: int, rng: torch.Generator, condition=None) -> Tensor:
        return 2.0 * torch.randint(2, (n, *self.event.shape), generator=rng, device=rng.device) - 1

    def log_prob(self, x: Tensor, condition=None) -> Tensor:
        return x.new_full((len(x),), -self.event.size * 0.6931)


class Bonds(nn.Module):
    '''f(x) = sum of J_ij x_i x_j over neighbours on the torus.'''

    def __init__(self, event: Space) -> None:
        super().__init__()
        self.right, self.down = (nn.Parameter(torch.zeros(event.shape)) for _ in range(2))

    def forward(self, x: Tensor, condition=None) -> Tensor:
        return (x * (self.right * x.roll(1, 2) + self.down * x.roll(1, 1))).flatten(1).sum(1)


def bonds(event: Space) -> Tilted:
    return Tilted(Bonds(event), Coin(event))
"""

ISING_PLUGIN = """
from ebmsuite.hookspecs import Component, hookimpl

ebm_api = 1

@hookimpl
def ebm_datasets():
    prefix = "page_ising:"
    return [Component("ising/spins", prefix + "Spins", "spins"), Component("ising/words", prefix + "Words", "words")]

@hookimpl
def ebm_densities():
    return [Component("ising/coin", "page_ising:Coin", "independent spins")]

@hookimpl
def ebm_energies():
    prefix = "page_ising:"
    return [
        Component("ising/bonds", prefix + "bonds", "neighbours"),
        Component("ising/sites", prefix + "sites", "sites"),
    ]

@hookimpl
def ebm_samplers():
    return [Component("ising/flips", "page_ising:Flips", "Metropolis")]

@hookimpl
def ebm_metrics():
    return [Component("ising/held-out", "page_ising:HeldOutEnergy", "mean energy of held-out data")]

@hookimpl
def ebm_recipes():
    prefix = "page_recipes:"
    return [
        Component("ising/first", prefix + "ising.yaml", "spins"),
        Component("ising/words", prefix + "words.yaml", "words"),
    ]
"""

ISING_RECIPE = """
data: {data: {name: ising/spins}}
players: {energy: {name: ising/bonds}}
trainer: {name: mle}
phases: {negative: {chains: {name: noise, density: {name: ising/coin}}, sampler: {name: ising/flips}, steps: 60}}
optimisers: {energy: {name: adam, lr: 0.05}}
budget: {steps: 40, batch: 50}
metrics: [{name: ising/held-out, n: 100, every: 20}]
checkpoint: {every: 20, best: ising/held-out}
"""

WORDS = """
def sites(event: Space) -> Tilted:
    return Tilted(nn.Sequential(nn.Flatten(), nn.Linear(event.size, 1), nn.Flatten(0)), Categorical(event))
"""

WORDS_RECIPE = """
data: {data: {name: ising/words}}
players: {energy: {name: ising/sites}}
trainer: {name: mle}
phases:
  negative:
    chains: {name: noise, density: {name: categorical}}
    sampler: {name: gibbs-with-gradients}
    steps: 10
optimisers: {energy: {name: adam, lr: 0.05}}
budget: {steps: 10, batch: 16}
"""

WAVES = """
class Tones(Dataset):
    '''Sines of 32 samples; even numbers are louder.'''

    def __init__(self, split: Literal["train", "valid", "test"] = "train") -> None:
        self.event, self.codec = Space((1, 32), range=(-1.0, 1.0)), Curves()
        self.first = 100 * ["train", "valid", "test"].index(split)
        self.note = "100 of 300 tones"
        self.skipped = {"not a .wav file": ["readme.txt"]}

    def __len__(self) -> int:
        return 100

    def batch(self, index: Tensor, seeds: Tensor) -> Batch:
        phase = (self.first + index)[:, None, None] * 0.7
        loud = torch.where(index % 2 == 0, 0.9, 0.5)[:, None, None]
        return Batch(loud * torch.sin(phase + torch.arange(32) * 0.4), index=index)


def net(event: Space, width: int = 8) -> Tilted:
    layers = [nn.Conv1d(1, width, 5, 2, 2), nn.SiLU(), nn.Flatten(), nn.Linear(width * 16, 1), nn.Flatten(0)]
    return Tilted(nn.Sequential(*layers), Gaussian(event, sd=0.5))


@dataclass(frozen=True)
class Sounds:
    rate: int = 8000

    def __call__(self, model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        files = []
        for i, x in enumerate(model.sample(min(n, 3), rng=rng).clamp(-1, 1)):
            files.append(folder / f"tone {i}.wav")
            with wave.open(str(files[-1]), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(self.rate)
                file.writeframes((x[0] * 32767).short().cpu().numpy().tobytes())
        (folder / "tones.csv").write_text("tone\\n")
        return [*files, folder / "tones.csv"]
"""

WAVES_PLUGIN = """
from ebmsuite.hookspecs import Component, Plugin, hookimpl


class Waves(Plugin):
    ebm_api = 1

    @hookimpl
    def ebm_datasets(self):
        prefix = "page_waves:"
        return [
            Component("waves/tones", prefix + "Tones", "tones"),
            Component("waves/patients", prefix + "Patients", "blood"),
        ]

    @hookimpl
    def ebm_codecs(self):
        return [Component("waves/curves", "page_waves:Curves", "signals as curves")]

    @hookimpl
    def ebm_energies(self):
        return [Component("waves/net", "page_waves:net", "convolutions")]

    @hookimpl
    def ebm_renderers(self):
        return [Component("waves/sounds", "page_waves:Sounds", "sound files")]

    @hookimpl
    def ebm_recipes(self):
        prefix = "page_recipes:"
        return [
            Component("waves/first", prefix + "waves.yaml", "tones"),
            Component("waves/patients", prefix + "patients.yaml", "blood values given a tree"),
        ]
"""

WAVES_RECIPE = """
data: {data: {name: waves/tones}}
players: {energy: {name: waves/net}}
trainer: {name: mle}
phases:
  negative:
    chains: {name: buffer, size: 100, density: {name: uniform}}
    sampler: {name: langevin, step_size: 0.05}
    steps: 5
optimisers: {energy: {name: adam, lr: 1.0e-3}}
budget: {steps: 6, batch: 16}
render: [{name: waves/sounds, every: 3}]
watch: [{name: progress, enabled: false}]
"""


PATIENTS_RECIPE = """
data: {data: {name: waves/patients}}
players: {energy: {name: mlp, width: 16, depth: 1, reference_sd: 1.0}}
trainer: {name: mle}
phases:
  negative:
    chains: {name: buffer, size: 64, density: {name: gaussian}}
    sampler: {name: langevin, step_size: 0.1}
    steps: 5
optimisers: {energy: {name: adam, lr: 1.0e-3}}
budget: {steps: 6, batch: 16}
"""


def write_plugins(folder: Path) -> None:
    """The two plugins as modules on the path of Python, with the metadata that an installer leaves."""
    recipes = folder / "page_recipes"
    recipes.mkdir()
    (recipes / "__init__.py").touch()
    for name, file, text in (
        ("ising/first", "ising", ISING_RECIPE),
        ("ising/words", "words", WORDS_RECIPE),
        ("waves/first", "waves", WAVES_RECIPE),
        ("waves/patients", "patients", PATIENTS_RECIPE),
    ):
        (recipes / f"{file}.yaml").write_text(f"recipe: {name}\n{text}")
    own = block("class Words(InMemory)") + WORDS + block("class Flips:") + block("class HeldOutEnergy:")
    (folder / "page_ising.py").write_text(HEAD + ISING + own)
    waves = block("class Curves:") + WAVES + block("class Patients(InMemory)")
    (folder / "page_waves.py").write_text(HEAD + waves)
    (folder / "page_ising_plugin.py").write_text(ISING_PLUGIN)
    (folder / "page_waves_plugin.py").write_text(WAVES_PLUGIN)
    info = folder / "page_plugins-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: page-plugins\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ebmsuite]\nising = page_ising_plugin\nwaves = page_waves_plugin:Waves\n")


@pytest.fixture
def registry(tmp_path, monkeypatch, isolated_plugins) -> Registry:
    write_plugins(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(conformance, "_registers_without_torch", lambda name: None)  # it asks another process
    for name in ("page_ising", "page_waves", "page_recipes", "page_ising_plugin", "page_waves_plugin"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    made = Registry(
        isolated_plugins(entry_point("ising", "page_ising_plugin"), entry_point("waves", "page_waves_plugin:Waves"))
    )
    monkeypatch.setattr(conformance, "Registry", lambda: made)
    return made


@pytest.mark.parametrize("name", ["ising", "waves"])
def test_a_plugin_written_from_the_page_passes_the_kit(registry, name) -> None:
    outcomes = conformance.check_plugin(name, fast=True)
    assert {o.check: o.detail for o in outcomes if o.state != "ok"} == {}
    assert f"{name}/first learns a step" in {o.check for o in outcomes}


def test_spins_stay_spins_and_bonds_become_ferromagnetic(registry, tmp_path) -> None:
    run = train("ising/first", watched_by(), out=tmp_path / "run", registry=registry)
    model = load(run, registry=registry)
    assert model.sample(10).abs().unique().tolist() == [1.0]
    assert model.players["energy"].net.right.mean() > 0.1


def test_one_hot_words_are_sampled_by_gibbs_with_gradients(registry, tmp_path) -> None:
    model = load(train("ising/words", watched_by(), out=tmp_path / "run", registry=registry), registry=registry)
    assert model.event.kind == "one-hot"
    x = model.sample(7)
    assert x.shape == (7, 5, 3)
    assert torch.equal(x.sum(-1), torch.ones(7, 5))


def test_a_model_of_patients_takes_their_tree_of_conditions(registry, tmp_path) -> None:
    run = train("waves/patients", watched_by(), out=tmp_path / "run", registry=registry)
    model = load(run, registry=registry)
    batch = first(model.data["test"], 7)
    assert model.sample(7, condition=batch.condition).shape == (7, 2)
    assert batch.meta["file"][6] == "test/6.csv"
    with pytest.raises(UserError, match=r"condition\.there: the values are int64, they must be booleans"):
        model.sample(7, condition={**batch.condition, "there": batch.condition["there"].long()})
    assert "condition.sex: label, 2 classes (female, male)" in write_report(run).read_text()


def test_sounds_are_in_the_report(registry, tmp_path) -> None:
    run = train("waves/first", watched_by("log"), out=tmp_path / "run", registry=registry)
    page = write_report(run).read_text()
    assert page.count("<audio controls") == 3
    assert 'src="samples/step-00000006/tone%201.wav"' in page
    assert '<a href="samples/step-00000006/tones.csv">' in page
    assert "data: 100 examples (100 of 300 tones); skipped 1 not a .wav file (readme.txt)" in page


def test_a_method_that_draws_gives_all_pictures(registry, tmp_path) -> None:
    """Signals as curves: sheets, films, neighbours and interpolations without further code of the plugin."""
    render = "render=[{name: pictures, n: 6}, {name: neighbours, n: 4}]"
    chains = "phases.negative.chains={name: noise, density: {name: uniform}}"
    run = train("waves/first", render, chains, watched_by("log"), out=tmp_path / "run", registry=registry)
    made = run / "samples" / "step-00000006"
    assert {p.name for p in made.iterdir()} == {"samples.png", "film.png", "film.gif", "neighbours.png"}
    assert write_report(run).read_text().count("<img") == 4
    model = load(run, registry=registry)
    apply(model, "film", out=tmp_path / "film.webp", registry=registry)
    apply(model, "interpolate", out=tmp_path / "between.png", registry=registry, settings={"pairs": 2, "points": 5})
    with Image.open(tmp_path / "between.png") as sheet:
        assert sheet.size == (5 * 34 + 2, 2 * 35 + 2)
    x = model.sample(3)
    model.write(x, tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as sheet:
        assert sheet.size == (2 * 34 + 2, 2 * 35 + 2)
    drawn = model.codec.show(torch.tensor([[[-1.0, -1.0, 1.0, 1.0]]]))[0]
    # each column is black where the curve is: at the bottom, along the jump, at the top
    assert [(drawn[:, i] == 0).nonzero().flatten().tolist() for i in (0, 1, 3)] == [[32], [32], [0]]
    assert (drawn[:, 2] == 0).all()


def test_a_sampler_that_declares_too_little_is_named(registry, tmp_path) -> None:
    sys.path_importer_cache.clear()
    text = (tmp_path / "page_ising.py").read_text()
    lacking = textwrap.dedent(text).replace("    adjusted: ClassVar[bool] = True\n", "", 1)
    assert lacking != text
    (tmp_path / "page_ising.py").write_text(lacking)
    with pytest.raises(Exception, match=r'phases.negative.sampler: "ising/flips" does not declare adjusted'):
        train("ising/first", out=tmp_path / "run", registry=registry)
    failed = {o.check: o.detail for o in conformance.check_plugin("ising", fast=True) if o.state == "failed"}
    assert "a sampler must declare adjusted: ClassVar" in failed["sampler ising/flips resolves"]
