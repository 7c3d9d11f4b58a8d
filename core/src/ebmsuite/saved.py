"""What a recipe can take from a saved run: its samples."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ebmsuite.density import Density
from ebmsuite.errors import MissingData, RecipeError
from ebmsuite.model import Model, load
from ebmsuite.space import Space
from ebmsuite.tree import Tree

__all__ = ["RunSamples"]


class RunSamples(Density):
    """The samples of the model in the folder ``run``, as `ebmsuite.model.Model.sample` draws them.

    ``checkpoint`` is "best", a step, or None for the newest. The model is loaded at the first draw. Each draw runs the
    model's sampler, so chains that start from many of them should store them (chains "bank"). The density of samples
    is not known: ``log_prob`` raises `RecipeError`.

    A draw raises `MissingData` if the folder is missing, and `RecipeError` if its model has other events.
    """

    def __init__(self, event: Space, run: str, checkpoint: str | None = None) -> None:
        super().__init__()
        self.event, self.run, self.checkpoint = event, run, checkpoint
        self._models: list[Model] = []  # in a list, so that its nets are no part of this module

    def model(self, device: torch.device) -> Model:
        """The model, loaded at the first call."""
        if not self._models:
            if not Path(self.run).is_dir():
                raise MissingData(
                    f'density "samples": there is no run {self.run}, whose samples are needed; put it back, or set run '
                    "to its new path"
                )
            with torch.random.fork_rng([device] if device.type == "cuda" else []):  # building nets seeds it
                model = load(self.run, self.checkpoint, str(device))
            if model.event.shape != self.event.shape or model.event.kind != self.event.kind:
                raise RecipeError(
                    f'density "samples": the events of the run {self.run} are {model.event.kind} of shape '
                    f"{list(model.event.shape)}, but {self.event.kind} of shape {list(self.event.shape)} are needed"
                )
            self._models.append(model)
        return self._models[0]

    @torch.no_grad()
    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        model = self.model(rng.device)
        return model.sample(n, rng=rng, condition=None if model.condition is None else condition)

    def log_prob(self, x: Tensor, condition: Tree = None) -> Tensor:
        raise RecipeError(f'density "samples": the density of the samples of the run {self.run} is not known')
