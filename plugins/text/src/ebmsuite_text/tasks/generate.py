"""The task ``text/generate``: write samples to a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ebmsuite.errors import UserError
from ebmsuite.files import output
from ebmsuite.tokens import cut_off
from ebmsuite_text.codec import TextCodec

if TYPE_CHECKING:
    import torch

    from ebmsuite.model import Facts, Model

__all__ = ["Generate"]


@dataclass(frozen=True)
class Generate:
    """Write ``n`` texts to a .txt (one per line), .jsonl or .csv file.

    ``temperature`` and ``likeliest`` say how the decoder draws a text given its latent vector, which is always drawn at
    temperature 1. A conditional model writes texts of the class ``label``, a name, and needs it.
    """

    n: int = 100
    temperature: float = 1.0
    likeliest: bool = False
    label: str | None = None

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        if self.n < 1:
            raise UserError(f"n: at least 1, got {self.n}")
        if inputs is not None:
            raise UserError(f"generate takes no input: it draws texts from the model; leave out {inputs}")
        path, codec = output(out, (".txt", ".jsonl", ".csv"), "generate"), model.codec_as(TextCodec)
        given = self._class(model)
        x = model.sample(self.n, rng=rng, condition=given, temperature=self.temperature, likeliest=self.likeliest)
        codec.write(x, path)
        texts = codec.decode(x)
        facts: Facts = {"texts": len(texts), "different": len(set(texts)), "truncated": int(cut_off(x).sum())}
        return facts | {"decoding": "likeliest" if self.likeliest else f"temperature {self.temperature:g}"}

    def _class(self, model: Model) -> torch.Tensor | None:
        import torch

        from ebmsuite.space import Space

        if not isinstance(model.condition, Space) or not model.condition.names:
            if self.label is not None:
                raise UserError(f"label: {model.recipe.recipe} is not conditional; leave it out")
            return None
        names = model.condition.names
        if self.label not in names:
            raise UserError(f"label: one of {', '.join(names)}, got {self.label}")
        return torch.full((self.n,), names.index(self.label))
