"""Generation: samples of a model written to files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ebmsuite.errors import UserError
from ebmsuite.model import Facts, Model
from ebmsuite.tasks.validation import at_least, finite
from ebmsuite_image.codec import Pixels
from ebmsuite_image.tasks.inputs import check_event

__all__ = ["Generate"]


@dataclass(frozen=True)
class Generate:
    """Writes ``n`` samples in the format given by the ending of ``out`` (see `Pixels.write`).

    With ``steps``, the samples come from chains of that many steps in the phase "negative" ("prior" for a model of
    latent vectors). Without it, the method draws them as usual.
    """

    n: int = 64
    steps: int | None = None

    def __post_init__(self) -> None:
        at_least(1, "generate", n=self.n)
        at_least(0, "generate", steps=self.steps)

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        if inputs is not None:
            raise UserError("generate draws pictures and uses none: leave out the input, or use image/reconstruct")
        check_event(model, "generate")
        codec = model.codec_as(Pixels)
        if self.steps is None:
            x = model.sample(self.n, rng=rng)
        else:
            phase = model.phase("prior" if model.has_latent else "negative")
            x = finite(model.as_events(phase.sample(self.n, rng, steps=self.steps), rng), "generate")
        codec.write(x, out)
        return {"samples": self.n, "lowest": x.min().item(), "highest": x.max().item()}
