"""Interpolation between the starting points of short-run chains, or between latent vectors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ebmsuite.errors import UserError
from ebmsuite.files import output, printable
from ebmsuite.model import Facts, Model
from ebmsuite.space import Batch
from ebmsuite.tasks.interpolate import between, mixtures
from ebmsuite.tasks.short_run import short_run
from ebmsuite.tasks.validation import at_least, finite
from ebmsuite_image.codec import Scale, grid
from ebmsuite_image.render import write_png
from ebmsuite_image.tasks.inputs import check_event, read_pictures

__all__ = ["Interpolate"]


@dataclass(frozen=True)
class Interpolate:
    """Writes a PNG with one row per pair of samples and ``points`` pictures per row, including both samples.

    Short-run chains are a generator x = M(z), where z is the starting point of the chain (Nijkamp et al., NeurIPS
    2019). This needs a phase "negative" with chains that start from noise, and takes no input.

    A model of latent vectors interpolates between latent vectors. Without an input, these are samples of the phase
    "prior", or of the generator's own density if there is no such phase. With an input, they are inferred from its
    first 2 ``pairs`` pictures; the first picture is paired with the second, the third with the fourth, and so on.
    ``scale`` is the scale of an array of floats.
    """

    pairs: int = 8
    points: int = 9
    scale: Scale | None = None

    def __post_init__(self) -> None:
        at_least(1, "interpolate", pairs=self.pairs)
        at_least(2, "interpolate", points=self.points)

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        path = output(out, ".png", "interpolate")
        check_event(model, "interpolate")
        if inputs is None and self.scale is not None:
            raise UserError("interpolate: scale is that of the input, and there is none")
        if model.has_latent:
            return self._between_codes(model, inputs, path, rng)
        phase, chains = short_run(model, "interpolate")
        if inputs is not None:
            raise UserError(
                "interpolate goes between samples of this model, whose codes are the noise that its chains start from: "
                "leave out the input. Pictures need a model with a generator, as image/digits-latent"
            )
        first, second = (chains.start(self.pairs, rng).x for _ in range(2))
        x = finite(between(phase, first, second, self.points, rng), "interpolate")
        write_png(grid(x.flatten(0, 1), self.points), path)
        return {"pairs": self.pairs, "points": self.points, "steps": phase.steps}

    def _between_codes(self, model: Model, inputs: Path | None, path: Path, rng: torch.Generator) -> Facts:
        facts: Facts = {"between": "samples"}
        if inputs is not None:
            given = read_pictures(model, inputs, "interpolate", 2 * self.pairs, self.scale)
            whole = len(given.x) // 2 * 2
            if whole == 0:
                raise UserError(f"{printable(inputs)}: one picture; interpolate goes between two")
            z = model.infer(Batch(given.x[:whole]), rng)
            facts = {"between": "pictures"} | given.facts | {"pictures": whole}
        else:
            z = model.sample_latent(2 * self.pairs, rng)
        first, second = z[::2], z[1::2]
        codes = mixtures(first, second, self.points)
        x = finite(model.decode(codes.flatten(0, 1), rng), "interpolate")
        write_png(grid(x, self.points), path)
        return {"pairs": len(first), "points": self.points, **facts}
