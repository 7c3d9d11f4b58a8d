"""Pictures of molecules with RDKit: grids with a legend below each molecule."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem.Draw import rdMolDraw2D
from rdkit.Geometry import Point2D

from ebmsuite.errors import DataError
from ebmsuite.files import replacing
from ebmsuite.pictures.picture_files import pillow
from ebmsuite_molecule.chemistry import parse, quiet

__all__ = ["CELL", "MOST", "grid", "pixels", "write_grid"]

MOST = 400
"""Maximum number of molecules in one picture."""


def grid(strings: Sequence[str], legends: Sequence[str] | None = None, columns: int = 5, vector: bool = False) -> bytes:
    """Draw molecules row by row, each above its legend, as PNG or, with ``vector``, as SVG.

    The cell of an invalid string shows its legend, or "no molecule" if it has none.
    """
    columns = min(columns, len(strings))
    rows = -(-len(strings) // columns)
    size, cell = (columns * CELL[0], rows * CELL[1]), CELL
    make = rdMolDraw2D.MolDraw2DSVG if vector else rdMolDraw2D.MolDraw2DCairo
    canvas = make(*size, *cell)
    options: Any = canvas.drawOptions()
    options.legendFontSize, options.legendFraction, options.padding = 14, 0.14, 0.06
    molecules = [parse(s) for s in strings]
    legends = list(legends or [""] * len(molecules))
    with quiet():
        canvas.DrawMolecules([Chem.Mol() if m is None else m for m in molecules], legends=legends)
        # RDKit draws no legend for an empty molecule
        canvas.SetOffset(0, 0)
        canvas.SetFontSize(14)
        canvas.SetColour((0.5, 0.5, 0.5))
        for i, (molecule, legend) in enumerate(zip(molecules, legends, strict=True)):
            if molecule is None:
                middle = Point2D((i % columns + 0.5) * cell[0], (i // columns + 0.5) * cell[1])
                canvas.DrawString(legend or "no molecule", middle, rawCoords=True)
        canvas.FinishDrawing()
    drawn = canvas.GetDrawingText()
    return drawn.encode() if isinstance(drawn, str) else bytes(drawn)


def pixels(strings: Sequence[str]) -> NDArray[np.uint8]:
    """Draw every molecule alone, without a legend: uint8 [N, H, W, 3]."""
    made = np.empty((len(strings), CELL[1], CELL[0], 3), np.uint8)
    for i, string in enumerate(strings):
        made[i] = pillow().open(io.BytesIO(grid([string]))).convert("RGB")
    return made


def write_grid(strings: Sequence[str], path: Path, legends: Sequence[str] | None = None, columns: int = 5) -> None:
    """Write a grid as .png or .svg, atomically. Raises `DataError` unless there are 1 to `MOST` molecules."""
    if not 0 < len(strings) <= MOST:
        raise DataError(f"{path}: a picture shows 1 to {MOST} molecules, not {len(strings)}")
    drawn = grid(strings, legends, columns, vector=path.suffix.lower() == ".svg")
    with replacing(path) as aside:
        aside.write_bytes(drawn)


CELL = (180, 150)
"""Width and height of a cell, in pixels."""
