"""Renderers for all domains whose codec has a method ``show``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ebmsuite.dataset import Films, fixed_batch, split_of
from ebmsuite.errors import UserError
from ebmsuite.evaluation.protocol import Split
from ebmsuite.model import Model
from ebmsuite.pictures.chain_pictures import Spacing, film, start_of, strip
from ebmsuite.pictures.events import check_drawable, draw, write_events
from ebmsuite.pictures.given import conditions, labels
from ebmsuite.pictures.neighbours import beside_nearest
from ebmsuite.pictures.picture_files import write_film, write_png
from ebmsuite.pictures.sheets import sheet
from ebmsuite.scores import Extractor
from ebmsuite.space import Batch
from ebmsuite.tasks.film import follow
from ebmsuite.tasks.infer import reconstruct

__all__ = ["Chain", "Neighbours", "PriorChains", "Reconstructions", "Samples", "SheetAndFilm"]


@dataclass(frozen=True)
class Samples:
    """Writes ``samples.png``: n samples, ``columns`` per row.

    A conditional model gets the conditions of examples of ``given``, a fixed random subset; when None, it gets none.
    ``captions`` are the energies of the samples, or their labels (class names, if the data have them). If the codec has
    a method ``frames``, ``samples.webp`` shows the same samples in motion.
    """

    columns: int = 8
    captions: Literal["energy", "label"] | None = None
    given: Split | None = None

    def __call__(self, model: Model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        check_drawable(model.codec, "samples")
        captions: list[str] | None = None
        if self.captions == "energy" and model.has_latent:
            raise UserError('samples: captions="energy" needs an energy of events; this model has latent vectors')
        condition = conditions(model, self.given, n, "samples")
        if self.captions == "label":
            captions = labels(model.condition, condition, "samples")
        x = model.sample(n, rng=rng, condition=condition)
        if self.captions == "energy":
            captions = [f"{energy:.4g}" for energy in model.energy(x, condition).tolist()]
        paths = [folder / "samples.png"]
        write_png(sheet(draw(model.codec, x, Batch(x, condition)), self.columns, captions=captions), paths[0])
        if isinstance(model.codec, Films):
            paths.append(folder / "samples.webp")
            write_events(model.codec, x, paths[1], self.columns)
        return paths


@dataclass(frozen=True)
class Chain:
    """Shows chains of a phase from their start to their end, in ``film.png`` and ``film.gif``.

    The default phase is "prior" for a model of latent vectors, else "negative". Chains of latent vectors z are shown
    as g(z).

    ``film.png`` has one row per chain and ``frames`` columns, from the start on the left to the sample on the right.
    ``spacing`` of the columns in time is "even", or "geometric": closer together at the start of the chain.
    ``film.gif`` (or another ``format``: .webp has all colours, .mp4 needs the package av) shows a grid of the same
    chains at four times as many evenly spaced moments. It pauses on the last frame. ``given`` is that of `Samples`.
    """

    frames: int = 12
    chains: int = 8
    phase: str | None = None
    spacing: Spacing = "even"
    format: Literal["gif", "webp", "mp4"] = "gif"
    given: Split | None = None

    def __call__(self, model: Model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        condition = conditions(model, self.given, self.chains, "chain")
        made = film(model, rng, "chain", self.frames, 4 * self.frames, self.chains, self.phase, self.spacing, condition)
        paths = [folder / "film.png", folder / f"film.{self.format}"]
        write_png(strip(made.columns), paths[0])
        write_film([sheet(cells) for cells in made.moments], paths[1])
        return paths


@dataclass(frozen=True)
class SheetAndFilm:
    """Runs `Samples` and then `Chain`."""

    columns: int = 8
    frames: int = 12
    chains: int = 8
    phase: str | None = None

    def __call__(self, model: Model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        samples = Samples(self.columns)(model, folder, rng, n)
        return samples + Chain(self.frames, self.chains, self.phase)(model, folder, rng, n)


@dataclass(frozen=True)
class Neighbours:
    """Writes ``neighbours.png``: n samples, each to the left of its ``nearest`` training examples and their distances.

    Distances are Euclidean, between ``features`` or, when None, between the events. The search covers all training
    examples, or a fixed subset of ``among`` of them. A row shows ``groups`` samples. ``given`` is that of `Samples`.
    """

    nearest: int = 3
    groups: int = 2
    among: int | None = None
    features: Extractor | None = None
    given: Split | None = None

    def __call__(self, model: Model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        check_drawable(model.codec, "neighbours")
        path, condition = folder / "neighbours.png", conditions(model, self.given, n, "neighbours")
        batch = Batch(model.sample(n, rng=rng, condition=condition), condition)
        picture, _ = beside_nearest(model, batch, self.nearest, self.groups, "train", self.among, self.features)
        write_png(picture, path)
        return [path]


@dataclass(frozen=True)
class Reconstructions:
    """Writes ``reconstructions.png``: n events of ``set``, each above its reconstruction g(z) with z inferred.

    The events are a fixed random subset, ``columns`` per row; ``descent`` noise-free steps end the inference. This
    needs a model with a generator, and the data.
    """

    columns: int = 16
    set: Split = "test"
    descent: int = 0

    def __call__(self, model: Model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        check_drawable(model.codec, "reconstructions")
        dataset, path = split_of(model.data, self.set), folder / "reconstructions.png"
        batch = fixed_batch(dataset, n).to(model.device)
        made = reconstruct(model, batch, rng, self.descent)
        above, below = (torch.split(draw(model.codec, x, batch), self.columns) for x in (batch.x, made))
        rows = [row for pair in zip(above, below, strict=True) for row in pair]
        write_png(sheet(torch.cat([_filled(row, self.columns) for row in rows]), self.columns), path)
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
            raise UserError(
                "prior-chains: this model has no chains of latent vectors; the renderer chain shows its own"
            )
        check_drawable(model.codec, "prior-chains")
        phase, path = model.phase("prior"), folder / "prior-chains.png"
        columns = [round(phase.steps * length) for length in self.lengths]
        seen = follow(phase, start_of(phase, self.chains, rng, "prior-chains"), rng, columns, model.device)
        write_png(strip([draw(model.codec, model.as_events(seen[t], rng)) for t in columns]), path)
        return [path]


def _filled(row: Tensor, columns: int) -> Tensor:
    """A row of pictures, filled with white pictures to ``columns``."""
    return torch.cat([row, row.new_full((columns - len(row), *row.shape[1:]), 255)])
