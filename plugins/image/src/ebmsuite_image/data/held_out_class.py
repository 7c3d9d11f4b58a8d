"""The data sets ``image/mnist-anomaly`` and ``image/digits-anomaly``: train on nine digits, detect the tenth.

==========  ===========================================================  ==========================================
protocol    training pictures                                            test pictures
==========  ===========================================================  ==========================================
pooled      80% of the nine digits of training and test set, shuffled    the other 20%, and all pictures of the tenth
standard    the nine digits of the training set                          the test set
choice      the nine digits of the training set without its end          the end of the training set, all ten digits
==========  ===========================================================  ==========================================

"pooled" is the split of the public loaders (Zenati et al., 2018, and later work) without their leak. Those loaders draw
a new permutation for each split, so training and test pictures overlap; here one permutation gives both. At least a
third of the test pictures are anomalies, compared with about a tenth in "standard", so scores of the two protocols
cannot be compared. "choice" is a small version of "standard" made of training pictures only. Use it to choose settings,
with digits that are not reported.

In all protocols, "valid" is the last 5,000 of the training pictures, or the last tenth if that is fewer, and is not
part of "train". It contains no anomalies.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from ebmsuite.errors import RecipeError
from ebmsuite_image.data.digits import Digits
from ebmsuite_image.data.pictures import DIGITS, Pictures, check_split
from ebmsuite_image.data.public import HELD_OUT, MNIST, load
from ebmsuite_image.folders import Skipped

__all__ = ["HeldOutClass", "Protocol", "digits_anomaly", "mnist_anomaly"]

Protocol: TypeAlias = Literal["pooled", "standard", "choice"]
Part: TypeAlias = tuple[Tensor, Tensor]
"""Pictures uint8 [N, 1, H, W] and their digits int64 [N]."""

SEED = 42
"""Seed of the permutation in the public loaders."""


class HeldOutClass(Pictures):
    """Pictures of which some show the digit ``held_out``; ``anomalous`` [N] marks these, for metrics only.

    Batches carry no labels unless ``conditional``. With labels the model learns to distinguish the nine digits, which
    is a different task. Report ``held_out`` and ``protocol`` with every score.
    """

    def __init__(
        self, part: Part, held_out: int, protocol: Protocol, note: str, conditional: bool, skipped: Skipped
    ) -> None:
        images, digits = part
        super().__init__(images, digits, 10, conditional, note=note, skipped=skipped, names=DIGITS)
        self.anomalous = digits == held_out
        self.held_out, self.protocol = held_out, protocol


def mnist_anomaly(
    split: str = "train", held_out: int = 1, protocol: Protocol = "pooled", conditional: bool = False
) -> HeldOutClass:
    """MNIST, 28x28, with the digit ``held_out`` as the anomaly. This module describes ``protocol``."""
    training, test = load(MNIST, "train"), load(MNIST, "test")
    found = len(training[0]) + len(test[0])
    note = f"{found:,} of the 70,000 images of MNIST" if found < MNIST.train + MNIST.test else ""
    part, skipped = _split(training, test, 10_000, split, held_out, protocol)
    return HeldOutClass(part, held_out, protocol, note, conditional, skipped)


def digits_anomaly(
    split: str = "train", held_out: int = 1, protocol: Protocol = "pooled", conditional: bool = False
) -> HeldOutClass:
    """The 10,000 embedded digits, 28x28, with the digit ``held_out`` as the anomaly."""
    train, valid, test = (_part(Digits(s)) for s in ("train", "valid", "test"))
    training = torch.cat([train[0], valid[0]]), torch.cat([train[1], valid[1]])
    part, skipped = _split(training, test, 1000, split, held_out, protocol)
    return HeldOutClass(part, held_out, protocol, "10,000 of the 70,000 images of MNIST", conditional, skipped)


def _split(
    training: Part, test: Part, last: int, split: str, held_out: int, protocol: Protocol
) -> tuple[Part, Skipped]:
    """The pictures of a split, and the training pictures of ``held_out``, which are in no split."""
    check_split(split)
    if not 0 <= held_out <= 9:
        raise RecipeError(f"held_out: {held_out} is not a digit from 0 to 9")
    last = min(last, len(training[0]) // 6)  # fewer if the data are a subset
    early, late = _chosen(training, slice(-last)), _chosen(training, slice(-last, None))
    learned, evaluated = (early, late) if protocol == "choice" else (training, test)
    if protocol == "pooled":  # concatenated in the order that the public loaders permute
        images, digits = (torch.cat(three) for three in zip(early, test, late, strict=True))
        learned, evaluated = _pooled((images, digits), held_out)
    left_out = [f"training image {i}" for i in (learned[1] == held_out).nonzero().flatten().tolist()]
    learned = _chosen(learned, learned[1] != held_out)
    end = len(learned[0]) - min(HELD_OUT, len(learned[0]) // 10)
    parts = {"train": _chosen(learned, slice(end)), "valid": _chosen(learned, slice(end, None)), "test": evaluated}
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
