"""Tracks of agents: read them from a user's file, check them, and cut them into windows of equal length.

A file has one row per agent and frame. Four layouts are recognised:

- columns by heading (.csv, .tsv, .txt): see `HEADINGS`;
- four columns without a heading: frame, agent, x, y (the common form of ETH and UCY);
- eight columns without a heading: frame, agent, x, height, y and three velocities (``obsmat.txt`` of ETH);
- any other order, with ``columns`` naming the positions of frame, agent, x and y, such as "3 1 4 5".
"""

from __future__ import annotations

import csv
import logging
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ebmsuite.errors import DataError, UserError
from ebmsuite.files import printable, read_text

__all__ = ["UNITS", "Gaps", "Tracks", "Units", "Windows", "cut_windows", "last_windows", "numbered", "read_tracks"]

log = logging.getLogger("ebmsuite")

Array: TypeAlias = npt.NDArray[np.float64]
Numbers: TypeAlias = npt.NDArray[np.int64]
Texts: TypeAlias = npt.NDArray[np.str_]

HEADINGS: Mapping[str, tuple[str, ...]] = {
    "frame": ("frame", "frame_id", "frameid", "frame_number", "timestep", "step", "t"),
    "agent": (
        "agent", "agent_id", "id", "ped", "ped_id", "pedestrian", "pedestrian_id", "track", "track_id", "vehicle_id",
    ),
    "x": ("x", "x_m", "pos_x", "x_pos", "x_est", "local_x"),
    "y": ("y", "y_m", "pos_y", "y_pos", "y_est", "local_y"),
}  # fmt: skip
"""Headings of the four columns, in order of preference. Case is ignored; blanks and hyphens count as underscores."""

LAYOUTS: Mapping[int, tuple[int, int, int, int]] = {4: (0, 1, 2, 3), 8: (0, 1, 2, 4)}
"""Columns of frame, agent, x and y in files without a heading, by the number of columns."""

Units = Literal["metres", "feet", "pixels"]
UNITS: Mapping[str, float] = {"metres": 1.0, "feet": 0.3048}
"""Length of a unit in metres."""

FASTEST = 15.0
"""Speed in m/s above which a moving agent is implausible on foot, by bicycle or in a town; a warning says so."""

_SHOWN = 5
"""Number of bad rows that a message lists."""


@dataclass(frozen=True)
class Tracks:
    """Rows of a recording, sorted by agent and then by frame: one position per agent and frame, in metres."""

    name: str
    frame: Numbers
    agent: Texts
    xy: Array
    """Positions [rows, 2]."""
    skipped: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Rows that were left out: reason -> their names."""

    @property
    def frame_step(self) -> int:
        """The most frequent difference between successive frame numbers of the recording."""
        steps = np.diff(np.unique(self.frame))
        if len(steps) == 0:
            raise DataError(f"{self.name}: all rows have the same frame number, so nothing moves")
        values, counts = np.unique(steps, return_counts=True)
        return int(values[counts.argmax()])

    def part(self, low: float, high: float) -> Tracks:
        """The rows between two fractions of the time from the first to the last frame; above 1 includes the last."""
        first, last = self.frame.min(), self.frame.max()
        return self.between(first + low * (last - first), first + high * (last - first))

    def between(self, low: float, high: float) -> Tracks:
        """The rows with low <= frame < high."""
        keep = (self.frame >= low) & (self.frame < high)
        return Tracks(self.name, self.frame[keep], self.agent[keep], self.xy[keep], self.skipped)


def read_tracks(
    path: Path,
    units: Units = "metres",
    metres_per_pixel: float | None = None,
    columns: str = "",
    invalid: Literal["error", "skip"] = "error",
    seconds: float = 0.4,
) -> Tracks:
    """Read a file of tracks (.csv, .tsv, .txt, or one of these as .gz) and convert positions to metres.

    ``units`` are those of the file; pixels need ``metres_per_pixel``. ``seconds`` between successive frames serve only
    to warn about implausible speeds. A row that is not a frame number, an agent and two finite positions, and a second
    row of the same agent and frame, are invalid: `DataError` lists their line numbers, or with ``invalid: skip`` they
    are left out and ``skipped`` names them.
    """
    metres = _metres(units, metres_per_pixel)
    lines = read_text(path, "tracks").split("\n")
    rows = [(number, _cells(line)) for number, line in enumerate(lines, 1) if line.strip()]
    at, heading = _columns(path, rows[0][1], columns)
    rows = rows[1:] if heading else rows
    if not rows:
        raise DataError(f"{printable(path)}: no tracks in it, only a heading")
    good: list[tuple[int, str, float, float]] = []
    bad: dict[str, list[str]] = {}
    first: dict[tuple[int, str], int] = {}
    for number, cells in rows:
        row, why = _row(cells, at)
        if row is not None:
            before = first.setdefault((row[0], row[1]), number)
            why = (
                ""
                if before == number
                else f"a second position of agent {row[1]} at frame {row[0]}, after line {before}"
            )
        if row is None or why:
            bad.setdefault(why, []).append(f"line {number}")
        else:
            good.append(row)
    _complain(path, bad, len(rows), invalid)
    frame = np.array([row[0] for row in good], np.int64)
    agent = np.array([row[1] for row in good], np.str_)
    order = np.lexsort((frame, agent))
    xy = np.array([row[2:] for row in good], np.float64)[order] * metres
    skipped = {_kind(why): [*names] for why, names in bad.items()}
    tracks = Tracks(printable(path.name), frame[order], agent[order], xy, skipped)
    _warn_of_speed(tracks, units, seconds)
    return tracks


def _metres(units: Units, metres_per_pixel: float | None) -> float:
    if units == "pixels":
        if metres_per_pixel is None or metres_per_pixel <= 0:
            raise UserError('units: "pixels" need metres_per_pixel, the length of a pixel in metres')
        return metres_per_pixel
    if metres_per_pixel is not None:
        raise UserError(f'metres_per_pixel is for units: "pixels", but units is "{units}"')
    return UNITS[units]


def _cells(line: str) -> list[str]:
    """The cells of a row, separated by tabs, semicolons, commas or blanks, whichever comes first in this order."""
    for separator in ("\t", ";", ","):
        if separator in line:
            return [cell.strip() for cell in next(csv.reader([line], delimiter=separator))]
    return line.split()


def _columns(path: Path, cells: Sequence[str], columns: str) -> tuple[tuple[int, ...], bool]:
    """The columns of frame, agent, x and y, and whether the first row is a heading."""
    heading = not all(_is_number(cell) for cell in cells)
    names = [cell.lower().replace(" ", "_").replace("-", "_") for cell in cells]
    if columns:
        chosen = columns.split()
        if len(chosen) != 4:
            raise UserError(f'columns: "{columns}" must name four columns: frame, agent, x, y')
        at = [names.index(c.lower()) if c.lower() in names else int(c) - 1 if c.isdigit() else -1 for c in chosen]
        for name, place in zip(chosen, at, strict=True):
            if not 0 <= place < len(cells):
                raise DataError(f'{printable(path)}: there is no column "{name}" (it has: {", ".join(cells)})')
        return tuple(at), heading
    if heading:
        at = []
        for role, known in HEADINGS.items():
            found = next((names.index(name) for name in known if name in names), None)
            if found is None:
                raise DataError(
                    f'{printable(path)}: no column for "{role}" in the heading ({", ".join(cells)}); call it {role}, '
                    'or name the columns of frame, agent, x and y by "columns"'
                )
            at.append(found)
        return tuple(at), True
    if len(cells) not in LAYOUTS:
        raise DataError(
            f"{printable(path)}: {len(cells)} columns without a heading; expected 4 (frame, agent, x, y) or 8 "
            '(obsmat), or name the columns of frame, agent, x and y by "columns", such as "3 1 4 5"'
        )
    return LAYOUTS[len(cells)], False


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _row(cells: Sequence[str], at: Sequence[int]) -> tuple[tuple[int, str, float, float] | None, str]:
    """Frame, agent, x and y of a row, or None and the reason why it is invalid."""
    if max(at) >= len(cells):
        return None, f"too few columns ({len(cells)})"
    frame, agent, *xy = (cells[i] for i in at)
    if not _is_number(frame) or not float(frame).is_integer():
        return None, f'the frame "{frame}" is not a whole number'
    if not agent:
        return None, "the agent is empty"
    if not all(map(_is_number, xy)) or not np.isfinite([float(v) for v in xy]).all():
        return None, f'the position "{", ".join(xy)}" is not two finite numbers'
    named = str(int(float(agent))) if _is_number(agent) and float(agent).is_integer() else agent
    return (int(float(frame)), named, float(xy[0]), float(xy[1])), ""


def _kind(why: str) -> str:
    return "second positions of an agent at a frame" if why.startswith("a second position") else f"invalid rows: {why}"


def _complain(path: Path, bad: Mapping[str, Sequence[str]], rows: int, invalid: str) -> None:
    n = sum(map(len, bad.values()))
    if n == rows:
        why, where = next(iter(bad.items()))
        raise DataError(f"{printable(path)}: no row is a position of an agent; {where[0]}: {why}")
    if n and invalid == "error":
        listed = [f"{name}: {why}" for why, names in bad.items() for name in names]
        more = f"; and {n - _SHOWN:,} more" if n > _SHOWN else ""
        raise DataError(
            f"{printable(path)}: {n:,} of {rows:,} rows are invalid: {'; '.join(listed[:_SHOWN])}{more}. "
            'Correct them, or leave them out by "invalid: skip"'
        )


def _warn_of_speed(tracks: Tracks, units: Units, seconds: float) -> None:
    same = (tracks.agent[1:] == tracks.agent[:-1]) & (np.diff(tracks.frame) == np.diff(tracks.frame).clip(1))
    moved = np.linalg.norm(np.diff(tracks.xy, axis=0), axis=1)[same]
    steps = np.diff(tracks.frame)[same]
    if len(moved) == 0:
        return
    step = np.median(steps)
    fast = np.quantile(moved[steps == step] / seconds, 0.95) if (steps == step).any() else 0.0
    if fast > FASTEST:
        log.warning(
            "%s: one agent in twenty is faster than %.0f m/s (positions taken as %s, %.3g s between frames); are the "
            "units and the frame rate right?",
            tracks.name, fast, units, seconds,
        )  # fmt: skip


def numbered(keys: Iterable[Hashable]) -> list[int]:
    """For each key how often it occurred before: the numbers of samples that share an agent and frame."""
    seen: Counter[Hashable] = Counter()
    numbers = []
    for key in keys:
        numbers.append(seen[key])
        seen[key] += 1
    return numbers


# -- windows -------------------------------------------------------------------------------------------------

Gaps = Literal["cross", "split"]
"""``cross``: a window may step over frames that no row has, as the published loaders do. ``split``: it may not."""


@dataclass(frozen=True)
class Windows:
    """Windows of equal length: positions [N, T, 2] in metres, and per window the recording, agent and frames [N, T]."""

    xy: Array
    recording: Texts
    agent: Texts
    frame: Numbers
    note: str = ""
    skipped: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.xy)

    @staticmethod
    def join(parts: Sequence[Windows]) -> Windows:
        """All windows of several recordings, in order."""
        skipped: dict[str, list[str]] = {}
        for part in parts:
            for why, names in part.skipped.items():
                skipped.setdefault(why, []).extend(names)
        return Windows(
            np.concatenate([p.xy for p in parts]),
            np.concatenate([p.recording for p in parts]),
            np.concatenate([p.agent for p in parts]),
            np.concatenate([p.frame for p in parts]),
            "; ".join(p.note for p in parts if p.note),
            skipped,
        )


def cut_windows(tracks: Tracks, length: int, gaps: Gaps = "cross", stride: int = 1) -> Windows:
    """Every window of ``length`` successive frames in which an agent has a position, sorted by frame, then agent.

    Successive frames are the frame numbers that the recording lists (``gaps: cross``), or those ``frame_step`` apart
    (``gaps: split``). ``stride`` is the number of frames between the starts of windows of one agent. Agents without a
    window are in ``skipped``.
    """
    starts = _starts(tracks, length, gaps)
    starts = starts[_rank(tracks, gaps)[starts] % stride == 0] if stride > 1 else starts
    index = starts[:, None] + np.arange(length)
    order = np.lexsort((tracks.agent[starts], tracks.frame[starts]))
    index = index[order]
    without = np.setdiff1d(np.unique(tracks.agent), np.unique(tracks.agent[starts]))
    skipped = {k: list(v) for k, v in tracks.skipped.items()}
    if len(without):
        skipped[f"agents of {tracks.name} seen in fewer than {length} successive frames"] = [
            f"agent {a}" for a in without
        ]
    rows, step = f"{len(tracks.frame):,} rows", f"{length} frames, {tracks.frame_step} apart"
    note = f"{tracks.name}: {rows}, {len(index):,} windows of {step}"
    names = np.full(len(index), tracks.name)
    return Windows(tracks.xy[index], names, tracks.agent[index[:, 0]], tracks.frame[index], note, skipped)


def last_windows(tracks: Tracks, length: int, gaps: Gaps = "split") -> Windows:
    """The last ``length`` positions of every agent, one window per agent, where its last frames are successive."""
    ends = np.flatnonzero(np.append(tracks.agent[1:] != tracks.agent[:-1], True))
    starts = ends - length + 1
    kept = np.isin(starts, _starts(tracks, length, gaps))
    index = starts[kept, None] + np.arange(length)
    skipped = {k: list(v) for k, v in tracks.skipped.items()}
    if (~kept).any():
        skipped[f"agents without {length} successive frames at the end of its track"] = [
            f"agent {a}" for a in tracks.agent[ends[~kept]]
        ]
    names = np.full(len(index), tracks.name)
    return Windows(tracks.xy[index], names, tracks.agent[ends[kept]], tracks.frame[index], "", skipped)


def _rank(tracks: Tracks, gaps: Gaps) -> Numbers:
    """A number per row that rises by 1 between successive frames."""
    if gaps == "cross":
        return np.unique(tracks.frame, return_inverse=True)[1].astype(np.int64)
    # frames that are not a multiple of the step apart never count as successive
    step = tracks.frame_step
    offset = tracks.frame - tracks.frame.min()
    return np.where(offset % step == 0, offset // step, -1 - 2 * np.arange(len(offset)))


def _starts(tracks: Tracks, length: int, gaps: Gaps) -> Numbers:
    """Rows at which ``length`` rows of one agent and of successive frames start."""
    rank, n = _rank(tracks, gaps), len(tracks.frame)
    if n < length:
        return np.zeros(0, np.int64)
    joined = (tracks.agent[1:] == tracks.agent[:-1]) & (np.diff(rank) == 1)
    breaks = np.concatenate([[0], np.cumsum(~joined)])
    starts = np.arange(n - length + 1)
    found: Numbers = starts[breaks[starts] == breaks[starts + length - 1]]
    return found
