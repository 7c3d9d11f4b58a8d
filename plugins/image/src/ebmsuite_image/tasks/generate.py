"""Samples as files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ebmsuite.errors import UserError
from ebmsuite_image.latents import has_latent, pictured
from ebmsuite_image.tasks.parts import Facts, at_least, check_event, codec_of, finite

if TYPE_CHECKING:
    import torch

    from ebmsuite.model import Model

__all__ = ["Generate"]


@dataclass(frozen=True)
class Generate:
    """``n`` samples, in the format that the ending of ``out`` names (see the codec).

    With ``steps``, chains of that many steps in the phase "negative" (or "prior", on latent vectors); without, as the
    method draws.
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
        codec = codec_of(model)
        if self.steps is None:
            x = model.sample(self.n, rng=rng)
        else:
            phase = model.phase("prior" if has_latent(model) else "negative")
            x = finite(pictured(model, phase.sample(self.n, rng, steps=self.steps)), "generate")
        codec.write(x, out)
        return {"samples": self.n, "lowest": x.min().item(), "highest": x.max().item()}
