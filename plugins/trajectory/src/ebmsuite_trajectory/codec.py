"""The codec ``trajectory/tracks``: from files of tracks to windows in their own frame of reference, and back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from ebmsuite.errors import DataError, RecipeError, UserError
from ebmsuite.files import printable, write_csv
from ebmsuite.space import Batch
from ebmsuite_trajectory.tracks import Gaps, Units, Windows, cut_windows, numbered, read_tracks

__all__ = ["Heading", "TrackCodec"]

Heading = Literal["none", "last", "observed"]


@dataclass(frozen=True)
class TrackCodec:
    """Codec for windows of ``observed`` + ``predicted`` positions, ``seconds`` apart.

    An event is the future [predicted, 2] of an agent; its condition is ``{"past": [observed, 2]}``. Both are positions
    relative to the last observed one, in metres times ``scale``, rotated so that the agent heads along the first axis.
    ``heading`` names the direction of heading: of the last observed step (``last``), of the displacement over all
    observed steps (``observed``), or ``none`` for no rotation. An agent that moved less than ``still`` metres over the
    observed steps has no reliable heading, so its window is not rotated.

    ``meta`` of a batch holds what is needed to return to the user's coordinates: ``origin`` [B, 2] in metres, ``angle``
    [B] in radians, ``agent``, ``recording``, ``frame`` (of the last observation) and ``frame_step``.
    """

    name: ClassVar[str] = "trajectory/tracks"

    observed: int = 8
    predicted: int = 12
    seconds: float = 0.4
    heading: Heading = "none"
    still: float = 0.2
    scale: float = 1.0
    units: Units = "metres"
    metres_per_pixel: float | None = None
    columns: str = ""
    gaps: Gaps = "split"

    def __post_init__(self) -> None:
        if self.observed < 2 or self.predicted < 1:
            raise RecipeError(
                f"observed: at least 2 steps, predicted: at least 1, got {self.observed}, {self.predicted}"
            )
        if self.scale <= 0 or self.still < 0 or self.seconds <= 0:
            raise RecipeError("scale and seconds must be above 0, and still must not be negative")

    # -- coordinates -----------------------------------------------------------------------------------------

    def batch(self, windows: Windows, known: int | None = None) -> Batch:
        """Windows [N, T, 2] in metres as a batch; ``known`` is the number of observed positions, by default all T
        less ``predicted``. The future is NaN where windows hold the past only."""
        past = torch.from_numpy(windows.xy[:, : self.observed])
        future = torch.from_numpy(windows.xy[:, self.observed :])
        origin, angle = past[:, -1], self.angles(past)
        if future.shape[1] == 0:
            future = past.new_full((len(past), self.predicted, 2), torch.nan)
        here = [rotate(part - origin[:, None], -angle).mul(self.scale).float() for part in (past, future)]
        steps = np.diff(windows.frame[:, : self.observed], axis=1)
        meta = {
            "origin": origin.numpy(),
            "angle": angle.numpy(),
            "agent": windows.agent,
            "recording": windows.recording,
            "frame": windows.frame[:, self.observed - 1],
            "frame_step": steps.min(1),
        }
        return Batch(here[1], {"past": here[0]}, torch.arange(len(past)), meta=meta)

    def angles(self, past: Tensor) -> Tensor:
        """The heading of each agent in radians [N] (0 if it stands still) from ``past`` [N, observed, 2] in metres."""
        moved = past[:, -1] - past[:, 0]
        way = past[:, -1] - past[:, -2] if self.heading == "last" else moved
        angle = torch.atan2(way[:, 1], way[:, 0])
        stands = moved.norm(dim=1) < self.still
        return torch.zeros_like(angle) if self.heading == "none" else torch.where(stands, 0.0, angle)

    def metres(self, x: Tensor) -> Tensor:
        """Events or pasts [..., steps, 2] in metres, in the agent's own frame of reference."""
        return x / self.scale

    def world(self, x: Tensor, batch: Batch) -> Tensor:
        """Events or pasts [N, ..., steps, 2] of N windows, in metres, in the coordinates of the recording."""
        if batch.meta is None:
            raise UserError("these events have no origin: the coordinates of the recording are not known")
        origin, angle = (torch.as_tensor(batch.meta[k], dtype=torch.float64) for k in ("origin", "angle"))
        between = [1] * (x.dim() - 3)
        turned = rotate(self.metres(x.detach().cpu().double()), angle.view(-1, *between))
        return turned + origin.view(-1, *between, 1, 2)

    # -- files -----------------------------------------------------------------------------------------------

    def read(self, path: Path) -> Batch:
        """Every window of ``observed`` + ``predicted`` frames in a file of tracks. `DataError` names invalid rows."""
        tracks = read_tracks(path, self.units, self.metres_per_pixel, self.columns, seconds=self.seconds)
        windows = cut_windows(tracks, self.observed + self.predicted, self.gaps)
        if len(windows) == 0:
            raise DataError(
                f"{printable(path)}: no agent is seen in {self.observed + self.predicted} successive frames "
                f"({len(np.unique(tracks.agent)):,} agents, {len(tracks.frame):,} rows)"
            )
        return self.batch(windows)

    def write(self, x: Tensor, path: Path, batch: Batch | None = None) -> None:
        """Write futures [N, predicted, 2] as a .csv in metres, with one row per agent, sample and step.

        With ``batch``, positions are those of the recording, and rows name recording, agent and frame; several rows of
        one agent and frame are numbered samples. Without it, positions are relative to the agent's last observation.
        """
        if path.suffix.lower() != ".csv":
            raise DataError(f'{printable(path)}: tracks are written as .csv, not as "{path.suffix}"')
        if batch is None or batch.meta is None:
            xy = self.metres(x.detach().cpu())
            rows = [(n, step + 1, *at) for n, track in enumerate(xy.tolist()) for step, at in enumerate(track)]
            write_csv(path, ("sample", "step", "x", "y"), rows)
            return
        places = [*zip(*(batch.meta[k] for k in ("recording", "agent", "frame")), strict=True)]
        rows = [
            (recording, agent, sample, frame + t * step, f"{east:.4f}", f"{north:.4f}")
            for track, (recording, agent, frame), sample, step in zip(
                self.world(x, batch).tolist(), places, numbered(places), batch.meta["frame_step"], strict=True
            )
            for t, (east, north) in enumerate(track, 1)
        ]
        write_csv(path, ("recording", "agent", "sample", "frame", "x", "y"), rows)

    def show(self, x: Tensor, batch: Batch | None = None) -> Tensor:
        """A picture [N, 128, 128, 3] per event: the observed past in grey and the future in red, 12 m wide."""
        from ebmsuite_trajectory.drawing import draw_tracks

        past = None if batch is None else self.metres(batch.condition["past"].cpu())
        return draw_tracks(self.metres(x.detach().cpu()), past)


def rotate(xy: Tensor, angle: Tensor) -> Tensor:
    """Rotate positions [..., steps, 2] by ``angle`` [...] radians, counter-clockwise, about the origin."""
    cos, sin = angle.cos()[..., None], angle.sin()[..., None]
    return torch.stack([cos * xy[..., 0] - sin * xy[..., 1], sin * xy[..., 0] + cos * xy[..., 1]], -1)
