"""Events beside their nearest training examples, which shows whether a model repeats its data."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset, fixed_subset, split_of
from ebmsuite.errors import UserError
from ebmsuite.evaluation.protocol import Split
from ebmsuite.model import Facts, Model
from ebmsuite.pictures.events import draw
from ebmsuite.pictures.sheets import Picture, captioned, sheet, titled
from ebmsuite.scores import Extractor
from ebmsuite.space import Batch

__all__ = ["beside_nearest", "nearest", "neighbours"]

PAD, GAP = 2, 8
"""White pixels between the pictures of an event and its neighbours, and around such a group."""


def nearest(x: Tensor, examples: Iterable[Tensor], k: int) -> tuple[Tensor, Tensor]:
    """Find the k nearest rows of ``examples``, batches [M, D], of each row of x [N, D] by Euclidean distance.

    Return their positions [N, k] and their distances [N, k] in float64, increasing; among equal distances the first
    example comes first. If there are fewer than k examples, k is their number.
    """
    x = x.double()
    best, at = x.new_empty((len(x), 0)), torch.empty((len(x), 0), dtype=torch.int64, device=x.device)
    seen = 0
    for part in examples:
        # products of rows would give 1e-7 instead of 0 for equal rows
        distance = torch.cdist(x, part.to(x), compute_mode="donot_use_mm_for_euclid_dist")
        position = torch.arange(seen, seen + len(part), device=x.device).expand(len(x), -1)
        best, order = torch.cat([best, distance], 1).sort(dim=1, stable=True)
        at = torch.cat([at, position], 1).gather(1, order)
        best, at, seen = best[:, :k], at[:, :k], seen + len(part)
    return at, best


def neighbours(
    x: Tensor, dataset: Dataset, k: int, among: int | None = None, features: Extractor | None = None
) -> tuple[Tensor, Tensor]:
    """Find the k nearest examples of events x [N, *event]: their numbers and distances [N, k], on the CPU.

    Distances are Euclidean, between ``features`` or, when None, between the events. The search covers all examples, or
    a fixed subset of ``among`` of them. `UserError` if ``features`` is None and events are sequences of tokens.
    """
    if features is None and dataset.event.kind == "tokens":
        raise UserError("neighbours: rows of tokens have no Euclidean distance; set features to an extractor")

    def of(events: Tensor) -> Tensor:
        events = events.to(x.device)
        return (events if features is None else features(events).features).flatten(1)

    searched = fixed_subset(dataset, among or len(dataset))
    parts = (of(dataset.batch(i, torch.zeros_like(i)).x) for i in torch.split(searched, 256))
    at, distance = nearest(of(x), parts, k)
    return searched[at.cpu()], distance.cpu()


def beside_nearest(
    model: Model,
    batch: Batch,
    k: int,
    groups: int,
    split: Split = "train",
    among: int | None = None,
    features: Extractor | None = None,
) -> tuple[Picture, Facts]:
    """Draw each event of ``batch`` to the left of its k nearest examples of a split, ``groups`` events per row.

    The caption of an event is its number from 1; the caption of an example is its distance. A line above names the kind
    of distance. Also return the facts: this kind, and the mean and the smallest distance to the nearest example.
    """
    dataset = split_of(model.data, split)
    if features is not None:
        features.prepare(model.data)
    index, distance = neighbours(batch.x, dataset, k, among, features)
    n, k = index.shape
    known = dataset.batch(index.flatten(), torch.zeros_like(index.flatten()))
    left, right = draw(model.codec, batch.x, batch), draw(model.codec, known.x, known)
    captions = [text for i, row in enumerate(distance.tolist(), 1) for text in (f"{i}", *(f"{d:.4g}" for d in row))]
    cells = captioned(torch.cat([left[:, None], right.view(n, k, *right.shape[1:])], 1).flatten(0, 1), captions)
    _, height, width, *colours = cells.shape
    spaced = cells.new_full((n, k + 1, height, width + PAD, *colours), 255)
    spaced[:, :, :, :width] = cells.view(n, k + 1, *cells.shape[1:])
    rows = spaced.transpose(1, 2).flatten(2, 3)
    kind = "Euclidean distance" + (f" of {features.id} features" if features else "")
    picture = titled(sheet(rows, groups, GAP), f"left: 1 to {n}; right: nearest of {split}, {kind}")
    first = distance[:, 0]
    return picture, {"distance": kind, "mean_nearest": first.mean().item(), "least_nearest": first.min().item()}
