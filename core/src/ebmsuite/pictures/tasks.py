"""Tasks that draw pictures, for all domains whose codec has a method ``show``."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from ebmsuite.errors import DataError, UserError
from ebmsuite.evaluation.protocol import Split
from ebmsuite.files import output, printable
from ebmsuite.model import Facts, Model
from ebmsuite.pictures.chain_pictures import Spacing, film, strip
from ebmsuite.pictures.events import check_drawable, draw
from ebmsuite.pictures.given import conditions
from ebmsuite.pictures.neighbours import beside_nearest
from ebmsuite.pictures.picture_files import FILMS, write_film, write_png
from ebmsuite.pictures.sheets import sheet
from ebmsuite.sampling import Langevin
from ebmsuite.scores import Extractor
from ebmsuite.space import Batch
from ebmsuite.tasks.infer import reconstruct
from ebmsuite.tasks.interpolate import between, mixtures
from ebmsuite.tasks.short_run import ShortRunGenerator, invert, mean_squares, short_run, twin
from ebmsuite.tasks.validation import at_least, finite
from ebmsuite.tree import tree_map

__all__ = ["Film", "Interpolate", "Neighbours", "Reads", "Reconstruct"]

ITERATIONS, RATE = 200, 0.05


class Reads:
    """A task that reads the user's events. A domain whose files have settings of their own overrides `read`."""

    what: ClassVar[str] = "events"
    """The word for the events in messages and facts, in the plural."""

    def read(self, model: Model, inputs: Path | None, task: str, n: int | None = None) -> tuple[Batch, Facts]:
        """Read the first ``n`` events (None: all) with the codec, onto the device of the model, and count them.

        Errors: `UserError` without an input, `DataError` when the events do not belong to the space of the model.
        """
        if inputs is None:
            raise UserError(f"{task} works on given {self.what}: name a file of them as input")
        if model.codec is None:
            raise UserError(f"{task}: these {self.what} have no codec, so no file of them can be read")
        found = model.codec.read(inputs)
        if misfit := model.event.misfit(found.x):
            raise DataError(f"{printable(inputs)}: these are not {self.what} of the model: {misfit}")
        batch = next(found.parts(n or max(1, len(found))), found).to(model.device)
        return batch, {self.what: len(batch), "of": len(found)}


@dataclass(frozen=True)
class Film:
    """Films ``chains`` chains of a phase from their start to their end at ``frames`` moments.

    A .png has one row per chain and one column per moment; a .gif, .webp or .mp4 shows all chains at once. ``phase``
    and ``spacing`` are those of the renderer ``chain``; ``spacing`` also applies to films. A conditional model gets the
    conditions of examples of ``given``, a fixed random subset; when None, it gets none.
    """

    frames: int = 48
    chains: int = 16
    phase: str | None = None
    spacing: Spacing = "even"
    given: Split | None = None

    def __post_init__(self) -> None:
        at_least(2, "film", frames=self.frames)
        at_least(1, "film", chains=self.chains)

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        path = output(out, (".png", *FILMS), "film")
        if inputs is not None:
            raise UserError("film shows new chains of the model: leave out the input")
        condition = conditions(model, self.given, self.chains, "film")
        made = film(model, rng, "film", self.frames, 2, self.chains, self.phase, self.spacing, condition)
        _write(made.columns, path)
        return {"chains": self.chains, "frames": len(made.columns)}


@dataclass(frozen=True)
class Interpolate(Reads):
    """Draws one row per pair of samples and ``points`` events per row, including both samples.

    A .png shows the rows; a .gif, .webp or .mp4 moves along all rows at once, there and back.

    Short-run chains are a generator x = M(z), where z is the starting point of the chain (Nijkamp et al., NeurIPS
    2019). This needs a phase "negative" with chains that start from noise, and takes no input.

    A model of latent vectors interpolates between latent vectors. Without an input, these are samples of the phase
    "prior", or of the generator's own density if there is no such phase. With an input, they are inferred from its
    first 2 ``pairs`` events; the first event is paired with the second, the third with the fourth, and so on. If the
    events have a condition, that of the first event of a pair applies to the whole row. A decoder of discrete events
    gives the likeliest of each latent vector.
    """

    pairs: int = 8
    points: int = 9

    def __post_init__(self) -> None:
        at_least(1, "interpolate", pairs=self.pairs)
        at_least(2, "interpolate", points=self.points)

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        path = output(out, (".png", *FILMS), "interpolate")
        check_drawable(model.codec, "interpolate")
        if model.has_latent:
            x, facts = self.between_codes(model, inputs, rng)
        else:
            x, facts = self._between_starts(model, inputs, rng)
        drawn = draw(model.codec, finite(x, "interpolate").flatten(0, 1))
        columns = list(drawn.view(*x.shape[:2], *drawn.shape[1:]).unbind(1))
        _write(columns if path.suffix.lower() == ".png" else [*columns, *columns[-2:0:-1]], path, rest=80)
        return facts

    def _between_starts(self, model: Model, inputs: Path | None, rng: torch.Generator) -> tuple[Tensor, Facts]:
        phase, chains = short_run(model, "interpolate")
        if inputs is not None:
            raise UserError(
                "interpolate goes between samples of this model, whose codes are the noise that its chains start from: "
                f"leave out the input. Only a model with a generator can interpolate between given {self.what}"
            )
        first, second = (chains.start(self.pairs, rng).x for _ in range(2))
        x = between(phase, first, second, self.points, rng)
        return x, {"pairs": self.pairs, "points": self.points, "steps": phase.steps}

    def between_codes(self, model: Model, inputs: Path | None, rng: torch.Generator) -> tuple[Tensor, Facts]:
        """Interpolate between latent vectors: events [pairs, points, *event]."""
        facts: Facts = {"between": "samples"}
        condition = None
        if inputs is not None:
            batch, counts = self.read(model, inputs, "interpolate", 2 * self.pairs)
            whole = len(batch) // 2 * 2
            if whole == 0:
                raise UserError(f"{printable(inputs)}: it holds one; interpolate goes between two {self.what}")
            batch = next(batch.parts(whole))
            z = model.infer(batch, rng)
            condition = tree_map(lambda v: v[::2].repeat_interleave(self.points, 0), batch.condition)
            facts = {"between": self.what} | counts | {self.what: whole}
        else:
            z = model.sample_latent(2 * self.pairs, rng)
        codes = mixtures(z[::2], z[1::2], self.points)
        likeliest = model.players["generator"].draws_events  # so that an event changes with its latent vector only
        x = model.decode(codes.flatten(0, 1), rng, condition, likeliest=likeliest)
        return x.view(*codes.shape[:2], *x.shape[1:]), {"pairs": len(codes), "points": self.points, **facts}


@dataclass(frozen=True)
class Reconstruct(Reads):
    """Reconstructs the first ``n`` events of the input, and writes a PNG with them above their reconstructions.

    Without a generator, the task minimises |x - M(z)|^2 over z, where M(z) is the end of the short-run chain from z. It
    uses gradient descent on z through the unrolled chain, for ``iterations`` iterations (200 by default; Nijkamp et
    al., NeurIPS 2019). The optimiser is Adam with learning rate ``lr`` (0.05 by default, our choice). Each event
    keeps its best z. ``noise`` keeps the Langevin noise, the same in all iterations. ``steps`` is the length of the
    chain, by default that of the phase; an iteration costs one gradient and one second derivative per step. (With
    leaky-relu units and the uniform reference, the energy is piecewise linear and dM/dz is the identity almost
    everywhere; the descent still works.) This needs a phase "negative" with chains from noise and the Langevin sampler.

    A model of latent vectors infers z as in learning, takes ``descent`` noise-free steps (see
    `ebmsuite.tasks.infer.infer`), and gives g(z). A setting for the other kind of model is a `UserError`.
    """

    iterations: int | None = None
    lr: float | None = None
    steps: int | None = None
    noise: bool = False
    n: int = 16
    descent: int = 0

    def __post_init__(self) -> None:
        at_least(1, "reconstruct", n=self.n)
        at_least(0, "reconstruct", iterations=self.iterations, steps=self.steps, descent=self.descent)

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        path = output(out, ".png", "reconstruct")
        check_drawable(model.codec, "reconstruct")
        by = self._by_generator if model.has_latent else self._by_chains
        batch, made, facts = by(model, inputs, rng)
        above, below = (draw(model.codec, x, batch) for x in (batch.x, made))
        write_png(sheet(torch.cat([above, below]), len(above)), path)
        return facts

    def _by_chains(self, model: Model, inputs: Path | None, rng: torch.Generator) -> tuple[Batch, Tensor, Facts]:
        if self.descent:
            raise UserError("reconstruct: descent is for a model with a generator; this one has short-run chains")
        phase, chains = short_run(model, "reconstruct")
        if not isinstance(phase.sampler, Langevin):
            raise UserError(f"reconstruct unrolls Langevin chains, not those of {type(phase.sampler).__name__}")
        batch, facts = self.read(model, inputs, "reconstruct", self.n)
        iterations = ITERATIONS if self.iterations is None else self.iterations
        energy = copy.deepcopy(phase.energy).requires_grad_(False).train(phase.nets == "train")
        steps = phase.steps if self.steps is None else self.steps
        noise = twin(rng) if self.noise else None
        generator = ShortRunGenerator(energy, phase.sampler, steps, noise, batch.condition)
        start = chains.start(len(batch), rng, condition=batch.condition).x
        before = mean_squares(generator(start)[0], batch.x)
        made, error = invert(generator, batch.x, start, iterations, RATE if self.lr is None else self.lr)
        return (
            batch,
            made,
            facts
            | {
                "mse": error.mean().item(),
                "mse_at_random_start": before.mean().item(),
                "steps": steps,
                "iterations": iterations,
            },
        )

    def _by_generator(self, model: Model, inputs: Path | None, rng: torch.Generator) -> tuple[Batch, Tensor, Facts]:
        others = {"iterations": self.iterations, "lr": self.lr, "steps": self.steps, "noise": self.noise or None}
        ignored = [name for name, value in others.items() if value is not None]
        if ignored:
            raise UserError(
                f"reconstruct: {' and '.join(ignored)} would be for short-run chains; this model has a generator, for "
                "which n and descent are"
            )
        batch, facts = self.read(model, inputs, "reconstruct", self.n)
        made = reconstruct(model, batch, rng, self.descent)
        return batch, made, facts | {"mse": mean_squares(made, batch.x).mean().item(), "descent": self.descent}


@dataclass(frozen=True)
class Neighbours(Reads):
    """Draws ``n`` samples, or the first ``n`` events of the input, each to the left of its ``nearest`` examples.

    The settings are those of the renderer ``neighbours``; ``set`` is the split that is searched. This needs the data.
    The facts give the kind of distance and the mean distance to the nearest example.
    """

    n: int = 16
    nearest: int = 3
    groups: int = 2
    among: int | None = None
    set: Split = "train"
    features: Extractor | None = None
    given: Split | None = None

    def __post_init__(self) -> None:
        at_least(1, "neighbours", n=self.n, nearest=self.nearest, groups=self.groups, among=self.among)

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        path = output(out, ".png", "neighbours")
        check_drawable(model.codec, "neighbours")
        facts: Facts = {"samples": self.n}
        if inputs is None:
            condition = conditions(model, self.given, self.n, "neighbours")
            batch = Batch(model.sample(self.n, rng=rng, condition=condition), condition)
        else:
            batch, facts = self.read(model, inputs, "neighbours", self.n)
        picture, found = beside_nearest(model, batch, self.nearest, self.groups, self.set, self.among, self.features)
        write_png(picture, path)
        return facts | found


def _write(columns: Sequence[Tensor], path: Path, rest: int = 1600) -> None:
    """Write pictures [N, H, W, ...] at several moments: as a strip (.png), or as a film of sheets."""
    if path.suffix.lower() == ".png":
        write_png(strip(columns), path)
    else:
        write_film([sheet(cells) for cells in columns], path, rest=rest)
