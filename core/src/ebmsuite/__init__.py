"""Energy-based generative models: energies, samplers and learning methods, with plugins for domains.

>>> import ebmsuite
>>> run = ebmsuite.train("image/digits-short-run", "budget.steps=100")
>>> ebmsuite.load(run).sample(64).shape
torch.Size([64, 1, 28, 28])
>>> diagnosis, page = ebmsuite.diagnose(run)
>>> ebmsuite.apply(run, "image/interpolate", out="between.png")
>>> ebmsuite.evaluate(run, metric={"name": "image/nearest", "n": 500}).rows

The commands of ``ebm`` call `train`, `load`, `diagnose`, `apply`, `evaluate` and `write_report`. Each name is imported
when it is first used, so ``import ebmsuite`` is fast.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

from ebmsuite.files import settle_caches

if TYPE_CHECKING:
    from ebmsuite.dataset import Codec, Dataset, InMemory
    from ebmsuite.density import Density, Gaussian, Uniform
    from ebmsuite.diagnosis.diagnose import diagnose
    from ebmsuite.energy import Clamped, Energy, Sum, Tilted
    from ebmsuite.evaluation.report import write_report
    from ebmsuite.evaluation.suite import evaluate
    from ebmsuite.experiment.recipe import Recipe, read_recipe
    from ebmsuite.experiment.train import train
    from ebmsuite.generator import Generator, Posterior
    from ebmsuite.hookspecs import Command, Component, Plugin, hookimpl
    from ebmsuite.learning import Players, Trainer
    from ebmsuite.model import Model, apply, load
    from ebmsuite.plugins.discovery import Plugins
    from ebmsuite.plugins.registry import Registry
    from ebmsuite.scores import Case, Extractor, Published, Score
    from ebmsuite.space import Batch, Space

_WHERE = {
    "Batch": "space", "Case": "scores", "Clamped": "energy", "Codec": "dataset", "Command": "hookspecs",
    "Component": "hookspecs", "Dataset": "dataset", "Density": "density", "Energy": "energy",
    "Extractor": "scores", "Gaussian": "density", "Generator": "generator", "InMemory": "dataset",
    "Model": "model", "Players": "learning", "Plugin": "hookspecs", "Plugins": "plugins.discovery",
    "Posterior": "generator", "Published": "scores", "Recipe": "experiment.recipe", "Registry": "plugins.registry",
    "Score": "scores", "Space": "space", "Sum": "energy", "Tilted": "energy", "Trainer": "learning",
    "Uniform": "density", "apply": "model", "diagnose": "diagnosis.diagnose", "evaluate": "evaluation.suite",
    "hookimpl": "hookspecs", "load": "model", "read_recipe": "experiment.recipe", "train": "experiment.train",
    "write_report": "evaluation.report",
}  # fmt: skip

__all__ = [
    "Batch",
    "Case",
    "Clamped",
    "Codec",
    "Command",
    "Component",
    "Dataset",
    "Density",
    "Energy",
    "Extractor",
    "Gaussian",
    "Generator",
    "InMemory",
    "Model",
    "Players",
    "Plugin",
    "Plugins",
    "Posterior",
    "Published",
    "Recipe",
    "Registry",
    "Score",
    "Space",
    "Sum",
    "Tilted",
    "Trainer",
    "Uniform",
    "apply",
    "diagnose",
    "evaluate",
    "hookimpl",
    "load",
    "read_recipe",
    "train",
    "write_report",
]

settle_caches()  # must run before the import of any library that reads these environment variables


def __getattr__(name: str) -> Any:
    if name == "__version__":  # stated once, in pyproject.toml
        return importlib.metadata.version("ebmsuite")
    if name in _WHERE:
        value = getattr(importlib.import_module(f"ebmsuite.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'ebmsuite' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
