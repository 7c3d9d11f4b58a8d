"""Renderers for models of pictures: samples, the course of chains, reconstructions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ebmsuite.dataset import fixed_subset, split_of
from ebmsuite.errors import UserError
from ebmsuite.evaluation.protocol import Split
from ebmsuite.files import replacing
from ebmsuite.generator import Posterior
from ebmsuite.model import Model
from ebmsuite.sampling import Phase, Start
from ebmsuite.tasks.film import follow, moments
from ebmsuite.tasks.infer import reconstruct
from ebmsuite_image.codec import grid

__all__ = ["Film", "Grid", "GridAndFilm", "PriorChains", "Reconstructions", "write_gif", "write_png"]

Sheet = NDArray[np.uint8]
"""A picture [H, W] or [H, W, 3]."""


@dataclass(frozen=True)
class Grid:
    """Writes ``samples.png``: n samples, ``columns`` per row."""

    columns: int = 8

    def __call__(self, model: Model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        path = folder / "samples.png"
        write_png(grid(model.sample(n, rng=rng), self.columns), path)
        return [path]


@dataclass(frozen=True)
class Film:
    """Shows chains of a phase from their start to their end, in ``film.png`` and ``film.gif``.

    The default phase is "prior" for a model of latent vectors, else "negative". Chains of latent vectors z are shown
    as g(z).

    ``film.png`` has one row per chain and ``frames`` columns, from the start on the left to the sample on the right.
    ``spacing`` of the columns in time is "even", or "geometric": closer together at the start of the chain.
    ``film.gif`` shows a grid of the same chains at four times as many evenly spaced moments. It pauses on the last
    frame and repeats.
    """

    frames: int = 12
    chains: int = 8
    phase: str | None = None
    spacing: Literal["even", "geometric"] = "even"

    def __call__(self, model: Model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        phase = model.phase(self.phase or ("prior" if model.has_latent else "negative"))
        start = _start(phase, self.chains, rng, "film")
        columns = moments(phase.sampling_steps, self.frames, self.spacing)
        times = moments(phase.sampling_steps, 4 * self.frames, "even")
        chains = follow(phase, start, rng, {*columns, *times}, model.device)
        seen = {t: model.as_events(x, rng) for t, x in chains.items()}
        strip, film = folder / "film.png", folder / "film.gif"
        write_png(grid(torch.stack([seen[t] for t in columns], 1).flatten(0, 1), len(columns)), strip)
        write_gif([grid(seen[t]) for t in times], film)
        return [strip, film]


@dataclass(frozen=True)
class GridAndFilm:
    """Runs `Grid` and then `Film`."""

    columns: int = 8
    frames: int = 12
    chains: int = 8
    phase: str | None = None

    def __call__(self, model: Model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        samples = Grid(self.columns)(model, folder, rng, n)
        return samples + Film(self.frames, self.chains, self.phase)(model, folder, rng, n)


@dataclass(frozen=True)
class Reconstructions:
    """Writes ``reconstructions.png``: n pictures of ``set``, each above its reconstruction g(z) with z inferred.

    The pictures are a fixed random subset, ``columns`` per row; ``descent`` noise-free steps end the inference. This
    needs a model with a generator, and the data.
    """

    columns: int = 16
    set: Split = "test"
    descent: int = 0

    def __call__(self, model: Model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        dataset, path = split_of(model.data, self.set), folder / "reconstructions.png"
        index = fixed_subset(dataset, n)
        batch = dataset.batch(index, torch.zeros_like(index)).to(model.device)
        made = reconstruct(model, batch, rng, self.descent)
        pairs = zip(torch.split(batch.x, self.columns), torch.split(made, self.columns), strict=True)
        write_png(grid(_rows([x for pair in pairs for x in pair], self.columns), self.columns), path)
        return [path]


@dataclass(frozen=True)
class PriorChains:
    """Writes ``prior-chains.png``: g(z) along chains of the phase "prior", one row per chain.

    There is one column for each of ``lengths``, in multiples of the phase's number of steps K. If chains drift away
    after K steps, the model has not learned a density, only how to reach a plausible z in K steps. The norm of z may
    show this earlier than the pictures (`ebm diagnose`).
    """

    chains: int = 8
    lengths: tuple[float, ...] = (0, 1, 10, 40)

    def __call__(self, model: Model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        if not model.has_latent:
            raise UserError("prior-chains: this model has no chains of latent vectors; image/film shows its own")
        phase, path = model.phase("prior"), folder / "prior-chains.png"
        columns = [round(phase.steps * length) for length in self.lengths]
        seen = follow(phase, _start(phase, self.chains, rng, "prior-chains"), rng, columns, model.device)
        x = torch.stack([model.as_events(seen[t], rng) for t in columns], 1)
        write_png(grid(x.flatten(0, 1), len(columns)), path)
        return [path]


def _start(phase: Phase, n: int, rng: torch.Generator, renderer: str) -> Start:
    if isinstance(phase.energy, Posterior):
        raise UserError(
            f"{renderer}: chains of the posterior belong to given pictures; image/reconstructions shows their ends"
        )
    return phase.chains.start(n, rng)


def _rows(rows: Sequence[Tensor], columns: int) -> Tensor:
    """Join rows of pictures into one batch; short rows are filled with white pictures."""
    filled = [torch.cat([row, row.new_ones((columns - len(row), *row.shape[1:]))]) for row in rows]
    return torch.cat(filled)


def write_png(sheet: Sheet, path: Path) -> None:
    """Write a PNG file, completely or not at all."""
    with replacing(path) as file:
        Image.fromarray(sheet).save(file, format="PNG")


def write_gif(frames: Sequence[Sheet], path: Path, frame: int = 80, rest: int = 1600) -> None:
    """Write a looping GIF, completely or not at all: ``frame`` ms per frame, ``rest`` ms for the last frame."""
    images = [Image.fromarray(sheet) for sheet in frames]
    times = [frame] * (len(images) - 1) + [rest]
    with replacing(path) as file:
        images[0].save(file, format="GIF", save_all=True, append_images=images[1:], duration=times, loop=0)
