"""The task ``trajectory/predict``: sampled futures of the agents in a user's file."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ebmsuite.errors import DataError, UserError
from ebmsuite.files import output, printable
from ebmsuite.pictures.picture_files import write_png
from ebmsuite_trajectory.codec import TrackCodec
from ebmsuite_trajectory.drawing import draw_overlay
from ebmsuite_trajectory.tracks import Units, last_windows, read_tracks

if TYPE_CHECKING:
    import torch

    from ebmsuite.model import Facts, Model

__all__ = ["Predict"]


@dataclass(frozen=True)
class Predict:
    """Predict ``k`` futures of every agent from the last positions in a file of tracks.

    ``out`` is a .csv in metres, in the coordinates of the file, with one row per agent, sample and step; an overlay of
    pasts (grey) and futures (red) is written beside it as a .png. An agent needs as many successive frames at the end
    of its track as the model observes; others are reported. ``units``, ``metres_per_pixel``, ``columns`` and
    ``invalid`` describe the file, as for the data set trajectory/tracks-file; by default, they are those of the model's
    training data. The time between successive frames must be that of the training data.
    """

    k: int = 20
    units: Units | None = None
    metres_per_pixel: float | None = None
    columns: str | None = None
    invalid: Literal["error", "skip"] = "error"

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        path, codec = output(out, ".csv", "predict"), model.codec_as(TrackCodec)
        if inputs is None:
            raise UserError("trajectory/predict needs a file of tracks: give one with --input")
        if self.k < 1:
            raise UserError(f"k: at least one future is needed, got {self.k}")
        units = self.units or codec.units
        length = self.metres_per_pixel if self.units else codec.metres_per_pixel
        columns = codec.columns if self.columns is None else self.columns
        tracks = read_tracks(inputs, units, length, columns, self.invalid, codec.seconds)
        windows = last_windows(tracks, codec.observed, codec.gaps)
        if len(windows) == 0:
            raise DataError(
                f"{printable(inputs)}: no agent has {codec.observed} successive frames at the end of its track"
            )
        batch = codec.batch(windows)
        assert batch.meta is not None
        begun = time.perf_counter()
        futures = model.sample_for(batch, self.k, rng).cpu()
        seconds = time.perf_counter() - begun
        codec.write(futures.flatten(0, 1), path, batch.repeat_interleave(self.k))
        world = codec.world(futures, batch)
        past = codec.world(batch.condition["past"], batch)
        picture = path.with_suffix(".png")
        write_png(draw_overlay(past, world).numpy(), picture)
        skipped = {f"skipped, {why}": len(names) for why, names in windows.skipped.items()}
        return {
            "agents": len(batch),
            "futures per agent": self.k,
            "seconds per agent": round(seconds / len(batch), 4),
            "picture": str(picture),
            **skipped,
        }
