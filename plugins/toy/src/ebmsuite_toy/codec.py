"""The codec ``toy/points``: it reads points from .csv and writes .csv and .png."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.errors import DataError, RecipeError
from ebmsuite.files import replacing, write_text
from ebmsuite.space import Batch

__all__ = ["PointFiles"]


@dataclass(frozen=True)
class PointFiles:
    """Points of ``columns`` coordinates as events [columns], in the units of the files."""

    name: ClassVar[str] = "toy/points"

    columns: int = 2

    def __post_init__(self) -> None:
        if self.columns < 1:
            raise RecipeError(f"columns: a point needs at least one coordinate, got {self.columns}")

    def read(self, path: Path) -> Batch:
        """The points of a .csv file: x float32 [N, columns], index 0..N-1.

        The file has one point per row, with coordinates separated by commas, and no header; blank rows are skipped.
        Anything else raises a `DataError` that names the file and the row (1 is the first line).
        """
        path = Path(path)
        if path.suffix.lower() != ".csv":
            raise DataError(f'{path}: points are read from .csv files, not "{path.suffix}"')
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: not a readable text file ({error})") from error
        rows = [self._row(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
        if not rows:
            raise DataError(f"{path}: the file contains no points")
        return Batch(torch.tensor(rows, dtype=torch.float32), index=torch.arange(len(rows)))

    def _row(self, path: Path, number: int, line: str) -> list[float]:
        cells = line.split(",")
        if len(cells) != self.columns:
            raise DataError(f"{path}: row {number} has {len(cells)} numbers, but a point has {self.columns}")
        try:
            row = [float(cell) for cell in cells]
        except ValueError:
            row = [math.nan]
        if not all(map(math.isfinite, row)):
            raise DataError(f'{path}: row {number} must be {self.columns} finite numbers, got "{line.strip()}"')
        return row

    def write(self, x: Tensor, path: Path, batch: Batch | None = None) -> None:
        """Write points x [N, columns]: to .csv, one per row; to .png, the first two coordinates as a scatter plot.

        The file is written completely or not at all. Another suffix raises `DataError`. ``batch`` is not used, because
        these files hold points only.
        """
        path = Path(path)
        if x.dim() != 2 or x.shape[1] != self.columns or not len(x):
            raise DataError(f"{path}: points must be [N, {self.columns}] with N > 0, got {list(x.shape)}")
        if path.suffix.lower() == ".csv":
            write_text(path, "".join(",".join(f"{v:.9g}" for v in row) + "\n" for row in x.tolist()))
        elif path.suffix.lower() == ".png":
            self._scatter(x.detach().cpu(), path)
        else:
            raise DataError(f'{path}: points are written as .csv, .png, .npy or .safetensors, not "{path.suffix}"')

    def _scatter(self, x: Tensor, path: Path) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        if self.columns < 2:
            raise DataError(f"{path}: a picture needs two coordinates, but these points have one; write a .csv")
        figure = Figure(figsize=(6, 6), layout="constrained")
        axes = figure.subplots()
        axes.scatter(x[:, 0], x[:, 1], s=min(120.0, 3 + 4000 / len(x)), color="#1f5f99", alpha=0.6, linewidths=0)
        axes.set_aspect("equal", adjustable="datalim")
        axes.spines[["top", "right"]].set_visible(False)
        with replacing(path) as aside:
            FigureCanvasAgg(figure).print_png(aside)
