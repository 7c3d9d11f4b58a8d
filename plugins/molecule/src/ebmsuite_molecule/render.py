"""Pictures of a model: samples beside their nearest training molecules, and densities of properties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ebmsuite.files import replacing
from ebmsuite_molecule import chemistry, workers
from ebmsuite_molecule.drawing import write_grid
from ebmsuite_molecule.metrics.distances import bit_rows, nearest
from ebmsuite_molecule.metrics.samples import fixed_part, split_of, strings_codec

if TYPE_CHECKING:
    import torch

    from ebmsuite.model import Model

__all__ = ["Densities", "Grid", "GridAndDensities", "density", "neighbours", "write_densities"]

Values = NDArray[np.float64]

_SETS = 2_000
"""Number of held-out molecules in the plot of densities."""


@dataclass(frozen=True)
class Grid:
    """``samples.png`` (or .svg): n samples, each with the most similar training molecule to its right.

    Similarity is the Tanimoto similarity of Morgan fingerprints. The search covers the first ``among`` training
    molecules. A row shows ``pairs`` pairs.
    """

    pairs: int = 3
    among: int = 20_000
    format: Literal["png", "svg"] = "png"

    def __call__(self, model: Model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        return self.of(_strings(model, n, rng), model, folder)

    def of(self, strings: Sequence[str], model: Model, folder: Path) -> list[Path]:
        """Draw the same picture for given strings."""
        path = folder / f"samples.{self.format}"
        known = split_of(model.data, "train").strings[: self.among]
        shown: list[str] = []
        legends: list[str] = []
        for i, (string, (near, similarity)) in enumerate(zip(strings, neighbours(strings, known), strict=True), 1):
            shown += [string, near]
            legends += [f"{i}", f"training, {similarity:.2f}"] if near else [f"{i}: no molecule", " "]
        write_grid(shown, path, legends, 2 * self.pairs)
        return [path]


@dataclass(frozen=True)
class Densities:
    """``densities.png``: logP, QED, SA and weight of held-out molecules and of the valid among ``samples`` samples."""

    samples: int = 1_000

    def __call__(self, model: Model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        return self.of(_strings(model, self.samples, rng), model, folder)

    def of(self, strings: Sequence[str], model: Model, folder: Path) -> list[Path]:
        """Draw the same picture for given strings."""
        path = folder / "densities.png"
        held = fixed_part(split_of(model.data, "test").strings, _SETS)
        data, ours = (_values(s) for s in (held, strings))
        said = f"{len(ours):,} molecules of {len(strings):,} samples"
        write_densities({f"{len(data):,} of the test set": data, said: ours}, path)
        return [path]


@dataclass(frozen=True)
class GridAndDensities:
    """Draw `Grid` and `Densities` for the same samples."""

    pairs: int = 3
    among: int = 20_000
    samples: int = 1_000

    def __call__(self, model: Model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        strings = _strings(model, max(n, self.samples), rng)
        pictures = Grid(self.pairs, self.among).of(strings[:n], model, folder)
        return pictures + Densities(self.samples).of(strings[: self.samples], model, folder)


def neighbours(strings: Sequence[str], known: Sequence[str]) -> list[tuple[str, float]]:
    """Return, per string, the most similar of ``known`` and the similarity in 0..1; ("", 0) for an invalid string."""
    bits = workers.each("bits", strings)
    valid = [i for i, on in enumerate(bits) if on is not None]
    found = [("", 0.0)] * len(strings)
    if valid:
        closest, similarity = nearest(
            bit_rows([bits[i] for i in valid]), bit_rows(workers.each("bits", known, remember=True))
        )
        for i, j, value in zip(valid, closest.tolist(), similarity.tolist(), strict=True):
            found[i] = (known[j], value)
    return found


def density(x: Values, points: Values) -> Values:
    """Estimate the density of ``x`` [N] at ``points`` [M] with Gaussian kernels and the bandwidth of Scott (1979)."""
    width = max(float(x.std()) * len(x) ** -0.2, 1e-6)
    return np.asarray(np.exp(-(((points[:, None] - x) / width) ** 2) / 2).mean(1) / (width * np.sqrt(2 * np.pi)))


def write_densities(sets: Mapping[str, Values], path: Path) -> None:
    """Plot the density of every property for named sets [N, 4]. The first is filled; sets with N < 2 are omitted."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.6), layout="constrained")
    axes = figure.subplots(1, len(chemistry.PROPERTIES))
    for i, (axis, name) in enumerate(zip(axes, chemistry.PROPERTIES, strict=True)):
        columns = {label: values[:, i] for label, values in sets.items() if len(values) > 1}
        # cut the range: outliers of a poorly trained model would compress the data into a line
        ends = [np.quantile(x, [0.002, 0.998]) for x in list(columns.values())[:1]]
        ends += [np.quantile(x, [0.05, 0.95]) for x in list(columns.values())[1:]]
        if not ends:
            continue
        low, high = min(e[0] for e in ends), max(e[1] for e in ends)
        points = np.linspace(low - 0.05 * (high - low), high + 0.05 * (high - low), 300)
        for j, (label, x) in enumerate(columns.items()):
            if j == 0:
                axis.fill_between(points, density(x, points), color="#c9c9c9", linewidth=0, label=label)
            else:
                axis.plot(points, density(x, points), linewidth=1.5, label=label)
        axis.set_title(_TITLES[name], fontsize=9, loc="left")
        axis.set_yticks([])
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right", "left"]].set_visible(False)
    handles, labels = axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, fontsize=8, frameon=False, ncols=2, loc="outside lower left")
    with replacing(path) as aside:
        figure.savefig(aside, dpi=100, format="png")


_TITLES: Mapping[chemistry.Property, str] = {
    "logp": "logP", "qed": "QED", "sa": "SA score", "weight": "weight [Da]",
}  # fmt: skip


def _values(strings: Sequence[str]) -> Values:
    found = [v for v in workers.each("values", strings) if v is not None]
    return np.array(found, np.float64).reshape(len(found), len(chemistry.PROPERTIES))


def _strings(model: Model, n: int, rng: torch.Generator) -> list[str]:
    return strings_codec(model.codec).decode(model.sample(n, rng=rng))
