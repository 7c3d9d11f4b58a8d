"""The task ``shape3d/recover``: hidden voxels of the user's grids."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ebmsuite.energy import Clamped
from ebmsuite.errors import DataError, UserError
from ebmsuite.files import output, printable
from ebmsuite.pictures.events import draw
from ebmsuite.pictures.picture_files import write_png
from ebmsuite.pictures.sheets import captioned, sheet
from ebmsuite.seeded import seeded_uniform
from ebmsuite.space import Batch
from ebmsuite_shape3d.codec import VoxelCodec
from ebmsuite_shape3d.metrics.hidden_voxels import recovery_scores

if TYPE_CHECKING:
    from ebmsuite.model import Facts, Model

__all__ = ["Recover"]


@dataclass(frozen=True)
class Recover:
    """Recover the hidden voxels of grids: the mean of ``draws`` chains given the visible voxels.

    The input is an .npz file with ``voxels`` [N, S, S, S] and ``known`` (boolean, the same shape), True where a
    voxel is visible; values elsewhere are ignored. Without ``known``, the share ``hide`` of the voxels is hidden at
    random, and the errors are reported. ``out`` is an .npz file; a picture (.png) beside it shows the visible part, the
    recovery and, if it is known, the whole shape.
    """

    draws: int = 1
    hide: float | None = None

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        path, codec = output(out, ".npz", "recover"), model.codec_as(VoxelCodec)
        if inputs is None:
            raise UserError("shape3d/recover needs a file of grids: give one with --input")
        if self.draws < 1 or not (self.hide is None or 0 < self.hide < 1):
            raise UserError(f"draws must be at least 1 and hide between 0 and 1, got {self.draws}, {self.hide}")
        if not Clamped.is_given(model.condition):
            raise UserError("shape3d/recover needs a model of a clamped energy, such as shape3d/modelnet10-recovery")
        whole = codec.read(inputs).x
        known = self._known(inputs, whole)
        visible = whole * known
        condition = Clamped.given(visible, known)
        batch = Batch(visible, condition, torch.arange(len(whole))).to(model.device)
        made = torch.where(known, whole, model.sample_for(batch, self.draws, rng).mean(1).cpu())
        codec.write(made, path)
        shown = torch.where(known, whole, torch.full_like(whole, -codec.mean))
        rows = [("visible", shown), ("recovered", made)] + ([("whole", whole)] if self.hide is not None else [])
        cells = [captioned(draw(codec, x), [label] * len(x)) for label, x in rows]
        write_png(sheet(torch.stack(cells, 1).flatten(0, 1), columns=len(rows)), path.with_suffix(".png"))
        facts: Facts = {"grids": len(whole), "hidden": round(float((~known).double().mean()), 4)}
        if self.hide is not None:
            occupancies = codec.occupancy(made), codec.occupancy(whole)
            wrong, hidden, iou = recovery_scores(*occupancies, known[:, 0])
            facts |= {"error": float((wrong / hidden).mean()), "iou": float(iou.mean())}
        return facts

    def _known(self, inputs: Path, whole: torch.Tensor) -> torch.Tensor:
        found = None
        if inputs.suffix.lower() == ".npz":
            with np.load(inputs, allow_pickle=False) as file:
                found = file["known"] if "known" in file.files else None
        if found is None and self.hide is None:
            raise UserError(
                f'{printable(inputs)}: no array "known" says which voxels are visible; add it, or set hide to hide some'
            )
        if found is not None and self.hide is not None:
            raise UserError(f'{printable(inputs)}: the array "known" hides voxels already: leave out hide')
        if found is None:
            seeds = torch.arange(len(whole))
            return seeded_uniform(seeds, whole.shape[1:]) >= float(self.hide or 0)
        known = torch.from_numpy(np.ascontiguousarray(found))
        known = known[None] if known.dim() == 3 else known
        if known.dtype != torch.bool or known.shape != whole[:, 0].shape:
            wanted = list(whole[:, 0].shape)
            raise DataError(
                f'{printable(inputs)}: "known" must be boolean {wanted}, got {known.dtype} {list(known.shape)}'
            )
        return known[:, None]
