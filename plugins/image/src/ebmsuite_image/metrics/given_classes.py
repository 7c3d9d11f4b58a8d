"""The metric of models that draw pictures of a given class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset
from ebmsuite.errors import UserError
from ebmsuite.evaluation.protocol import Split
from ebmsuite.model import Model
from ebmsuite.pictures.given import conditions
from ebmsuite.scores import Extractor, Score
from ebmsuite.space import Space
from ebmsuite_image.metrics.passes import OfFeatures, look
from ebmsuite_image.metrics.quality import fid_score

__all__ = ["GivenClasses"]


@dataclass(frozen=True)
class _Given:
    """A model that draws pictures for the given labels [N]."""

    model: Model
    labels: Tensor

    def sample(self, n: int, *, rng: torch.Generator) -> Tensor:
        return self.model.sample(n, rng=rng, condition=self.labels[:n])

    def describe(self) -> Mapping[str, object]:
        return self.model.describe()


@dataclass(frozen=True)
class GivenClasses(OfFeatures):
    """``agreement`` and ``fid`` of ``n`` samples, each drawn for the label of an example of ``set``.

    ``agreement`` is the share of samples that the classifier of the extractor assigns to the label they were drawn for.
    Without the label it would be the share of the most frequent class at best; the accuracy of the classifier on real
    examples, which the protocol states, is what perfect samples would reach. ``fid`` is that of `Fid`.

    Errors: `UserError` for a model that is not given labels, or an extractor without the classes of the data.
    """

    features: Extractor
    set: Split = "test"

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Mapping[str, Score]:
        if not isinstance(model.condition, Space) or model.condition.kind != "label":
            raise UserError("image/given-classes: the condition of this model is not a label; set labels: true")
        labels = conditions(model, self.set, n, "image/given-classes")
        seen = look(self.features, _Given(model, labels), data, rng, n, "model", self.set)
        logits = seen.fake.logits
        if logits is None or logits.shape[1] != model.condition.classes:
            raise UserError("image/given-classes: use an extractor with the classes of the data: image/classifier")
        agreement = (logits.argmax(1) == labels.to(logits.device)).double().mean().item()
        return {"agreement": seen.score("agreement", agreement), "fid": fid_score(seen)}
