"""The renderer ``tabular/histograms``: marginal histograms of data and samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from ebmsuite.files import replacing
from ebmsuite.model import Model
from ebmsuite_tabular.codec import Columns
from ebmsuite_tabular.metrics import normal_rows


@dataclass(frozen=True)
class Histograms:
    """``histograms.png``: a histogram per column of the data (grey) and of ``n`` samples (line).

    The picture shows the first ``most`` columns, in the units of the file, with ``columns`` plots per row.
    ``bins`` bins cover the data from the 0.5 % to the 99.5 % quantile and a quarter of that range on either
    side. The outermost bins also count all values further out, so that diverging chains are visible.
    """

    columns: int = 6
    bins: int = 30
    most: int = 30
    set: Literal["train", "valid", "test"] = "train"

    def __call__(self, model: Model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        real = normal_rows(model.data[self.set])
        drawn = model.sample(n, rng=rng).cpu().flatten(1)
        names = [f"x{i}" for i in range(real.shape[1])]
        x, y = real.double().numpy(), drawn.double().numpy()
        if isinstance(model.codec, Columns):
            names, x, y = list(model.codec.names), model.codec.original(real), model.codec.original(drawn)
        shown = min(self.most, len(names))
        wide = min(self.columns, shown)
        high = -(-shown // wide)
        figure = Figure(figsize=(2.1 * wide, 1.5 * high + 0.4), layout="constrained")
        for i, axes in enumerate(figure.subplots(high, wide, squeeze=False).ravel()):
            if i >= shown:
                axes.set_axis_off()
                continue
            low, top = np.quantile(x[:, i], [0.005, 0.995])
            edge = 0.25 * (top - low) or 1.0
            edges = np.linspace(low - edge, top + edge, self.bins + 1)
            for values, kind, colour, label in (
                (x, "stepfilled", "0.75", "data"),
                (y, "step", "C3", "samples"),
            ):
                inside = np.clip(values[:, i], edges[0], edges[-1])
                axes.hist(inside, edges, density=True, histtype=kind, color=colour, label=label)
            axes.set_title(names[i], fontsize=7)
            axes.tick_params(labelsize=5)
            axes.set_yticks([])
        handles, labels = figure.axes[0].get_legend_handles_labels()
        title = f"{len(x)} {self.set} rows, {len(y)} samples"
        figure.legend(
            handles, labels, loc="outside upper right", ncols=2, fontsize=8, title=title, title_fontsize=8
        )
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "histograms.png"
        with replacing(path) as aside:
            FigureCanvasAgg(figure).print_png(aside)
        return [path]
