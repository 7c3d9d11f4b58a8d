"""Pictures of sentences: samples beside their nearest training sentences, and chains from noise to text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ebmsuite.errors import UserError
from ebmsuite.files import write_csv, write_text
from ebmsuite.pictures.chain_pictures import start_of
from ebmsuite.pictures.events import draw
from ebmsuite.pictures.neighbours import beside_nearest
from ebmsuite.pictures.picture_files import write_png
from ebmsuite.pictures.sheets import captioned, sheet
from ebmsuite.space import Batch
from ebmsuite.tasks.film import follow
from ebmsuite.tasks.short_run import twin
from ebmsuite_text.codec import TextCodec
from ebmsuite_text.features import Bag
from ebmsuite_text.metrics.samples import given_at_random

if TYPE_CHECKING:
    from ebmsuite.model import Model

__all__ = ["Pictures", "SentenceSheet", "Transition"]


@dataclass(frozen=True)
class SentenceSheet:
    """Writes ``samples.txt``, n samples, and ``samples.png``, each of them beside its nearest training sentences.

    Distances are those of `ebmsuite_text.features.Bag`. The search covers a fixed subset of ``among`` sentences, or all
    of them when None.
    """

    nearest: int = 1
    among: int | None = None

    def __call__(self, model: Model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        codec, given = model.codec_as(TextCodec), given_at_random(model, model.data, n, rng)
        x = model.sample(n, rng=rng, condition=given)
        paths = [folder / "samples.png", folder / "samples.txt"]
        picture, _ = beside_nearest(model, Batch(x, given), self.nearest, 1, "train", self.among, Bag())
        write_png(picture, paths[0])
        write_text(paths[1], "".join(f"{text}\n" for text in codec.decode(x)))
        return paths


@dataclass(frozen=True)
class Transition:
    """Writes ``transition.png`` and ``transition.csv``: the text of z, and its energy, along chains of the prior.

    A column is a chain and a row is one of ``moments`` moments, evenly spaced from the noise at which the chain starts
    to its end. All moments are decoded at ``temperature`` with the same random numbers, so that a text changes with z
    only.
    """

    chains: int = 3
    moments: int = 6
    temperature: float = 0.7

    def __call__(self, model: Model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        if not model.has_latent or "prior" not in model.phases:
            raise UserError(f"text/transition: {model.recipe.recipe} has no chains of latent vectors")
        codec, phase = model.codec_as(TextCodec), model.phase("prior")
        given = given_at_random(model, model.data, self.chains, rng)
        steps = sorted({round(phase.steps * i / max(1, self.moments - 1)) for i in range(self.moments)})
        seen = follow(phase, start_of(phase, self.chains, rng, "text/transition", given), rng, steps, model.device)
        cells: list[torch.Tensor] = []
        rows: list[Sequence[object]] = []
        for t in steps:
            x = model.decode(seen[t], twin(rng), given, temperature=self.temperature)
            energies = model.energy(seen[t], given).tolist()
            texts = codec.decode(x)
            rows += [(i, t, f"{e:.4f}", text) for i, (e, text) in enumerate(zip(energies, texts, strict=True), 1)]
            cells.append(captioned(draw(codec, x), [f"step {t}, energy {e:.2f}" for e in energies], above=True))
        paths = [folder / "transition.png", folder / "transition.csv"]
        write_png(sheet(torch.cat(cells), self.chains, 6), paths[0])
        write_csv(paths[1], ("chain", "step", "energy", "text"), rows)
        return paths


@dataclass(frozen=True)
class Pictures:
    """Runs `SentenceSheet` and then `Transition`."""

    def __call__(self, model: Model, folder: Path, rng: torch.Generator, n: int) -> list[Path]:
        return SentenceSheet()(model, folder, rng, n) + Transition()(model, folder, rng, n)
