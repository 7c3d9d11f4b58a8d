"""The renderer ``toy/picture``: truth, model, samples and chains side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ebmsuite.dataset import first
from ebmsuite.density import Density
from ebmsuite.files import replacing
from ebmsuite.model import Model
from ebmsuite.sampling import Phase
from ebmsuite_toy.grid import Grid, log_density, temperature

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Picture", "paths"]

SHADES = ["#ffffff", "#cfe3f1", "#7fb3d8", "#2f78b3", "#134a80", "#071d3a"]
GREY, BLUE, RED = "#b9bec6", "#1f6aa5", "#c8443c"


@dataclass(frozen=True)
class Picture:
    """``picture.png``: four panels of a model of points in the plane.

    The panels show the density of the data if it is known (otherwise the data); the density of the model,
    exp(-E / T) / Z on ``grid`` x ``grid`` cells, in the same colours; ``n`` samples over the data; and ``chains`` new
    chains of ``phase`` over the contours of E, from their starts (hollow) to their ends after ``steps`` steps (filled;
    None: the steps of the phase). T is the temperature of the chains.
    """

    grid: int = 240
    chains: int = 40
    steps: int | None = None
    phase: str = "negative"

    def __call__(self, model: Model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        phase, dataset = model.phase(self.phase), model.data["train"]
        data = first(dataset).x
        shown = Grid.around(data, self.grid, margin=0.08)
        # normalise over the metric's wider square, to include the mass of the model outside the picture
        log_p = log_density(model, Grid.around(data, self.grid), temperature(phase))
        on_shown = log_p(shown.points())
        energy, p = -on_shown, on_shown.exp()
        figure = Figure(figsize=(9, 10), layout="constrained")
        truth, learned, drawn, flow = figure.subplots(2, 2).ravel()

        density, top = getattr(dataset, "density", None), float(p.max())
        if isinstance(density, Density):
            q = density.log_prob(shown.points()).exp()
            top = float(q.max())
            _shade(truth, q, shown, top)
        else:
            _dots(truth, data, GREY)
        _shade(learned, p, shown, top)
        _dots(drawn, data[: 4 * n], GREY)
        _dots(drawn, model.sample(n, rng=rng).cpu(), BLUE)
        steps = phase.steps if self.steps is None else self.steps
        _contours(flow, energy, shown)
        _flow(flow, paths(phase, self.chains, steps, rng))
        heat = "E" if log_p.temperature == 1 else f"E / {log_p.temperature:.3g}"
        titles = {
            truth: ("data", f"{len(data):,} points" if density is None else "density, in the same colours"),
            learned: (f"model, exp(-{heat}) / Z", f"{shown}"),
            drawn: (f"{n:,} samples", "over data (grey)"),
            flow: (f"{self.chains} chains, {steps:,} steps", "start (hollow) to end (red), over the energy"),
        }
        for axes, (title, below) in titles.items():
            _frame(axes, shown, title, below)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "picture.png"
        with replacing(path) as aside:
            FigureCanvasAgg(figure).print_png(aside)
        return [path]


def paths(phase: Phase, chains: int, steps: int, rng: torch.Generator, moments: int = 200) -> Tensor:
    """The paths of new chains, [at most moments + 1, chains, 2], starting with their starts, on the CPU."""
    start = phase.chains.start(chains, rng)
    seen, every = [start.x.cpu()], max(1, steps // moments)

    def each(i: int, state: Any, info: Any) -> None:
        if (i + 1) % every == 0 or i + 1 == steps:
            seen.append(state.x.detach().to("cpu", copy=True))

    phase.refine(start, rng, steps, each)
    return torch.stack(seen)


def _frame(axes: Axes, grid: Grid, title: str, below: str) -> None:
    left, right, bottom, top = grid.extent()
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    axes.set_title(title, fontsize=13, loc="left", pad=22)
    axes.text(0, 1.02, below, transform=axes.transAxes, fontsize=9, color="#666666")
    axes.tick_params(labelsize=9, length=3, color="#999999", labelcolor="#666666")
    axes.locator_params(nbins=5)
    for spine in axes.spines.values():
        spine.set(color="#bbbbbb", linewidth=0.8)


def _shade(axes: Axes, p: Tensor, grid: Grid, top: float) -> None:
    from matplotlib.colors import LinearSegmentedColormap, PowerNorm

    colours = LinearSegmentedColormap.from_list("density", SHADES)
    image = p.view(grid.n, grid.n).numpy()
    # square roots keep a faint mode visible next to a strong one
    axes.imshow(image, origin="lower", extent=grid.extent(), cmap=colours, norm=PowerNorm(0.5, 0, top))


def _dots(axes: Axes, x: Tensor, colour: str) -> None:
    axes.scatter(x[:, 0], x[:, 1], s=5, color=colour, alpha=0.6, linewidths=0)


def _contours(axes: Axes, energy: Tensor, grid: Grid) -> None:
    # each band between contours covers a tenth of the picture, for any range of energies; lower is darker
    levels = np.unique(torch.quantile(energy, torch.linspace(0, 1, 11, dtype=energy.dtype)).numpy())
    shades = [str(0.72 + 0.26 * i / len(levels)) for i in range(len(levels) - 1)]
    axes.contourf(energy.view(grid.n, grid.n).numpy(), levels, extent=grid.extent(), colors=shades)


def _flow(axes: Axes, way: Tensor) -> None:
    for chain in range(way.shape[1]):
        axes.plot(way[:, chain, 0], way[:, chain, 1], color=BLUE, linewidth=0.9, alpha=0.8)
    axes.scatter(way[0, :, 0], way[0, :, 1], s=24, facecolors="white", edgecolors=BLUE, linewidths=1, zorder=3)
    axes.scatter(way[-1, :, 0], way[-1, :, 1], s=30, color=RED, edgecolors="white", linewidths=0.7, zorder=4)
