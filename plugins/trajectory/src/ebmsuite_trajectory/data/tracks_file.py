"""The data set ``trajectory/tracks-file``: windows of tracks from a user's file."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ebmsuite.dataset import Dataset
from ebmsuite.errors import DataError, RecipeError
from ebmsuite.files import find, printable
from ebmsuite_trajectory.codec import Heading, TrackCodec
from ebmsuite_trajectory.data.windows import TrackWindows
from ebmsuite_trajectory.tracks import Gaps, Units, cut_windows, read_tracks

__all__ = ["tracks_file"]


def tracks_file(
    path: str,
    split: Literal["train", "valid", "test"] = "train",
    observed: int = 8,
    predicted: int = 12,
    seconds: float = 0.4,
    units: Units = "metres",
    metres_per_pixel: float | None = None,
    columns: str = "",
    gaps: Gaps = "split",
    heading: Heading = "observed",
    still: float = 0.2,
    scale: float = 1.0,
    flip: bool = False,
    turn: bool = False,
    stretch: float = 0.0,
    invalid: Literal["error", "skip"] = "error",
) -> Dataset:
    """Windows of the tracks in a .csv, .tsv or .txt file with one row per agent and frame (`read_tracks`).

    ``units`` are those of the file. ``seconds`` is the time between successive frames. The file is split by time: its
    first 80 % of frames train, the next 10 % valid, the last 10 % test; no window crosses a boundary. Invalid rows
    raise `DataError`, or are left out and reported with ``invalid: skip``. The other settings are those of `TrackCodec`
    and `TrackWindows`.
    """
    bounds = {"train": (0.0, 0.8), "valid": (0.8, 0.9), "test": (0.9, 1.01)}
    if split not in bounds:
        raise RecipeError(f'split: "{split}" is not one of train, valid, test')
    codec = TrackCodec(
        observed, predicted, seconds, heading, still, scale, units, metres_per_pixel, columns, gaps
    )  # fmt: skip
    file = find(path)
    tracks = read_tracks(file, units, metres_per_pixel, columns, invalid, seconds)
    length = observed + predicted
    if len(cut_windows(tracks, length, gaps)) == 0:
        raise DataError(
            f"{printable(file)}: no agent is seen in {length} successive frames ({len(np.unique(tracks.agent)):,} "
            f"agents, {len(tracks.frame):,} rows, {tracks.frame_step} between frames); lower observed or predicted, "
            'or set gaps to "cross"'
        )
    windows = cut_windows(tracks.part(*bounds[split]), length, gaps)
    return TrackWindows.of_split(windows, f"{split} by time: {windows.note}", codec, split, flip, turn, stretch)
