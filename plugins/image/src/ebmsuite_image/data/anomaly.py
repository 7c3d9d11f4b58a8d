"""The data sets ``image/mnist-anomaly`` and ``image/digits-anomaly``: learn nine digits, find the tenth.

==========  ===========================================================  ==========================================
protocol    learned from                                                 judged on
==========  ===========================================================  ==========================================
pooled      80% of the nine digits of all pictures, shuffled             the other 20%, and every picture of the tenth
standard    the nine digits of the training pictures                     the test pictures
choice      the nine digits of the training pictures but the last ones   these last ones, all ten digits
==========  ===========================================================  ==========================================

"pooled" is the split of the public loaders (Zenati et al., 2018, and after them), without their leak: theirs is drawn
from a generator that goes on, so that what is learned and what is judged come from two permutations; here it is one.
A third of its test pictures, and more, are anomalies. "standard" has about a tenth. The two are not to be compared.
"choice" is "standard" in small, made of training pictures alone: settings are chosen on it, with digits that are not
reported.

In all of them "valid" is the last part of what is there to learn from, 5,000 pictures or a tenth of them, and is no
part of "train". It has no anomalies.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from ebmsuite.errors import RecipeError
from ebmsuite_image.data.digits import Digits
from ebmsuite_image.data.pictures import Pictures, check_split
from ebmsuite_image.data.public import HELD_OUT, MNIST, load
from ebmsuite_image.folders import Skipped

__all__ = ["Anomaly", "Protocol", "digits_anomaly", "mnist_anomaly"]

Protocol: TypeAlias = Literal["pooled", "standard", "choice"]
Part: TypeAlias = tuple[Tensor, Tensor]
"""Pictures uint8 [N, 1, H, W] and their digits int64 [N]."""

SEED = 42
"""Of the permutation of the public loaders."""


class Anomaly(Pictures):
    """Pictures of which some are of the digit ``held_out``: ``anomalous`` [N] says which, to metrics alone.

    Batches carry no label, unless ``conditional`` asks for it: then the nine digits are told apart in learning, which
    is another task. ``held_out`` and ``protocol`` belong with every score.
    """

    def __init__(
        self, part: Part, held_out: int, protocol: Protocol, note: str, conditional: bool, skipped: Skipped
    ) -> None:
        images, digits = part
        super().__init__(images, digits, 10, conditional, note=note, skipped=skipped)
        self.anomalous = digits == held_out
        self.held_out, self.protocol = held_out, protocol


def mnist_anomaly(
    split: str = "train", held_out: int = 1, protocol: Protocol = "pooled", conditional: bool = False
) -> Anomaly:
    """MNIST, 28x28, with the digit ``held_out`` as the anomaly; see `ebmsuite_image.data.anomaly` for ``protocol``."""
    training, test = load(MNIST, "train"), load(MNIST, "test")
    found = len(training[0]) + len(test[0])
    note = f"{found:,} of the 70,000 images of MNIST" if found < MNIST.train + MNIST.test else ""
    part, skipped = _split(training, test, 10_000, split, held_out, protocol)
    return Anomaly(part, held_out, protocol, note, conditional, skipped)


def digits_anomaly(
    split: str = "train", held_out: int = 1, protocol: Protocol = "pooled", conditional: bool = False
) -> Anomaly:
    """The 10,000 embedded digits, 28x28, with the digit ``held_out`` as the anomaly."""
    train, valid, test = (_part(Digits(s)) for s in ("train", "valid", "test"))
    training = torch.cat([train[0], valid[0]]), torch.cat([train[1], valid[1]])
    part, skipped = _split(training, test, 1000, split, held_out, protocol)
    return Anomaly(part, held_out, protocol, "10,000 of the 70,000 images of MNIST", conditional, skipped)


def _split(
    training: Part, test: Part, last: int, split: str, held_out: int, protocol: Protocol
) -> tuple[Part, Skipped]:
    """The pictures of a split, and those training pictures of ``held_out`` that no split has."""
    check_split(split)
    if not 0 <= held_out <= 9:
        raise RecipeError(f"held_out: {held_out} is not a digit from 0 to 9")
    last = min(last, len(training[0]) // 6)  # fewer of a subset
    early, late = _chosen(training, slice(-last)), _chosen(training, slice(-last, None))
    learned, judged = (early, late) if protocol == "choice" else (training, test)
    if protocol == "pooled":  # in the order that the public loaders permute
        images, digits = (torch.cat(three) for three in zip(early, test, late, strict=True))
        learned, judged = _pooled((images, digits), held_out)
    left_out = [f"training image {i}" for i in (learned[1] == held_out).nonzero().flatten().tolist()]
    learned = _chosen(learned, learned[1] != held_out)
    end = len(learned[0]) - min(HELD_OUT, len(learned[0]) // 10)
    parts = {"train": _chosen(learned, slice(end)), "valid": _chosen(learned, slice(end, None)), "test": judged}
    return parts[split], {f"of the digit {held_out}": left_out} if left_out else {}


def _pooled(whole: Part, held_out: int) -> tuple[Part, Part]:
    anomalous = whole[1] == held_out
    normal, tenth = _chosen(whole, ~anomalous), _chosen(whole, anomalous)
    order = torch.from_numpy(np.random.RandomState(SEED).permutation(len(normal[0])))
    end = int(0.8 * len(order))
    rest = _chosen(normal, order[end:])
    return _chosen(normal, order[:end]), (torch.cat([rest[0], tenth[0]]), torch.cat([rest[1], tenth[1]]))


def _chosen(part: Part, index: Tensor | slice) -> Part:
    return part[0][index], part[1][index]


def _part(pictures: Pictures) -> Part:
    assert isinstance(pictures.images, Tensor)
    assert pictures.labels is not None
    return pictures.images, pictures.labels
