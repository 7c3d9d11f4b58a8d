"""The task ``video/generate``: synthesised films."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ebmsuite.errors import UserError
from ebmsuite.model import Facts, Model
from ebmsuite.tasks.validation import at_least
from ebmsuite_video.codec import Frames
from ebmsuite_video.synthesis import synthesise

__all__ = ["Generate"]


@dataclass(frozen=True)
class Generate:
    """Write ``n`` different clips in any format of `ebmsuite_video.codec.Frames.write`, at the rate of the data.

    The chains that learning kept come first, and continue for ``steps`` steps. If there are fewer than ``n``, the
    others are new chains, so that none is repeated.
    """

    n: int = 3
    steps: int = 0

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        if inputs is not None:
            raise UserError("video/generate takes no input; the task video/recover recovers a film")
        at_least(1, "video/generate", n=self.n)
        at_least(0, "video/generate", steps=self.steps)
        codec = model.codec_as(Frames)
        x, kept = synthesise(model, self.n, rng, self.steps)
        codec.write(x, out)
        return {"clips": len(x), "kept chains": kept, "new chains": len(x) - kept, "frames per second": codec.fps}
