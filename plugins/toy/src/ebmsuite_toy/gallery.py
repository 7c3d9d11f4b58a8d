"""One picture of an evaluation of the toy recipes: one panel per recipe, with samples over data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ebmsuite.dataset import rows
from ebmsuite.density import Density
from ebmsuite.files import replacing
from ebmsuite.model import Model, load
from ebmsuite.scores import Row, Suite
from ebmsuite_toy.grid import Grid
from ebmsuite_toy.render import BLUE, GREY, SHADES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["gallery"]

COLUMNS = 5
SAMPLES = 1500


def gallery(suite: Suite, file: Path) -> Path | None:
    """Draw the first run of every toy recipe of the suite to ``file``; return None if there is no toy recipe.

    For points of the plane a panel shows samples (blue) over the density of the data; for points of more dimensions,
    samples over data (grey) in the first two coordinates; for signals, a few data above a few samples.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    first: dict[str, Row] = {}
    for row in suite.rows:
        if row.recipe.startswith("toy/") and row.runs:
            first.setdefault(row.recipe, row)
    if not first:
        return None
    lines = -(-len(first) // COLUMNS)
    figure = Figure(figsize=(3 * COLUMNS, 3.4 * lines), layout="constrained")
    panels = figure.subplots(lines, COLUMNS, squeeze=False).ravel()
    for axes, row in zip(panels, first.values(), strict=False):
        _panel(axes, load(row.runs[0]))
        score = f"{row.metric.rpartition('/')[2]} {row.mean:.3g}"
        axes.set_title(f"{row.recipe.removeprefix('toy/')}\n{score}", fontsize=11, loc="left")
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set(color="#bbbbbb", linewidth=0.8)
    for axes in panels[len(first) :]:
        axes.remove()
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as aside:
        FigureCanvasAgg(figure).print_png(aside)
    return file


def _panel(axes: Axes, model: Model) -> None:
    test: Any = model.data["test"]
    parts = list(rows(test, SAMPLES, SAMPLES))
    data = parts[0].x if parts[0].known is None else parts[0].truth
    condition = parts[0].condition
    on = None if condition is None else condition.to(model.device)
    with torch.no_grad():
        samples = model.sample(len(data), seed=0, condition=on).cpu()
    if data.dim() == 3:
        _signals(axes, data, samples)
        return
    density = getattr(test, "density", None)
    if data.shape[1] == 2 and isinstance(density, Density):
        grid = Grid.around(data, 160, margin=0.08)
        from matplotlib.colors import LinearSegmentedColormap, PowerNorm

        shades = LinearSegmentedColormap.from_list("grey", ["#ffffff", "#9a9a9a"])
        p = density.log_prob(grid.points()).exp().view(grid.n, grid.n).numpy()
        axes.imshow(p, origin="lower", extent=grid.extent(), cmap=shades, norm=PowerNorm(0.5, 0, float(p.max())))
        left, right, bottom, top = grid.extent()
        axes.set(xlim=(left, right), ylim=(bottom, top))
    else:
        axes.scatter(data[:, 0], data[:, 1], s=3, color=GREY, alpha=0.6, linewidths=0)
    if condition is None:
        axes.scatter(samples[:, 0], samples[:, 1], s=3, color=BLUE, alpha=0.6, linewidths=0)
    else:  # one colour per class
        for label in condition.unique().tolist():
            of_it = samples[condition == label]
            axes.scatter(of_it[:, 0], of_it[:, 1], s=3, color=CLASSES[label % len(CLASSES)], alpha=0.6, linewidths=0)
    axes.set_aspect("equal")


CLASSES = [BLUE, "#c8443c", "#3a9a5b", "#e08f2c", "#7d58b0", "#5fb4c4", "#a06a3b", SHADES[-1]]


def _signals(axes: Axes, data: Tensor, samples: Tensor, shown: int = 4) -> None:
    for i in range(shown):
        axes.plot(data[i, 0] + 5.0 * (2 * shown - i), color=GREY, linewidth=1.1)
        axes.plot(samples[i, 0] + 5.0 * (shown - i), color=BLUE, linewidth=1.1)
