"""The evaluation suite: recovery of hidden voxels, and two-sample comparisons of point clouds."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from ebmsuite.scores import Case, Mean, Published

__all__ = ["CASES"]

VOTES = {"bathtub": 0.0128, "chair": 0.0161, "sofa": 0.0097, "toilet": 0.0151}
"""The bar: the error of the Gaussian vote on the cleaned test grids at 24^3, stated for 30^3."""

BASELINES = {
    "nearest training shape": {"of": "nearest"},
    "mean of the five nearest": {"of": "nearest-5"},
    "vote of 3^3": {"of": "box-vote"},
    "Gaussian vote": {"of": "gaussian-vote"},
    "vote with mirror image (knows the symmetry)": {"of": "mirrored-vote"},
    "start of the chains": {"of": "start"},
    "network of equal size and time without the energy": {"recipe": "shape3d/modelnet10-filling"},
}

NEEDS = {"quick": ("data:shape3d/modelnet10-voxels",), "full": ("data:shape3d/modelnet10-voxels",)}

HALVES = {"side": 1, "depth": 2, "height": 3}
"""The axes of half-object masks by name; the first two are horizontal."""


def _recovery(
    name: str, score: str, bar: float, note: str, settings: Mapping[str, Any], needs: Mapping[str, tuple[str, ...]]
) -> Case:
    return Case(
        name=f"shape3d/recovery-{name}",
        recipe="shape3d/modelnet10-recovery",
        metric={"name": "shape3d/recovery"},
        better="lower",
        n={"quick": 100, "full": 100},
        score=score,
        bar={"quick": bar, "full": bar},
        baselines=BASELINES,
        seeds={"quick": 1, "full": 3},
        settings=settings,
        needs=needs,
        group="shape3d/recovery",
        note=f"70 % hidden at random, {note}",
    )


def _half(category: str, name: str) -> Case:
    return Case(
        name=f"shape3d/half-{name}-{category}",
        recipe="shape3d/modelnet10-recovery",
        metric={"name": "shape3d/recovery", "axis": HALVES[name], "hidden": 0.5},
        better="higher",
        n={"quick": 100, "full": 100},
        score="iou",
        baselines=BASELINES,
        seeds={"quick": 1, "full": 3},
        settings={"data.data.of.categories": [category]},
        needs=NEEDS,
        group="shape3d/half",
        note=f"half of the grid hidden along axis {HALVES[name]} ({name}), from either end",
    )


def _clouds(name: str, score: str) -> Case:
    return Case(
        name=f"shape3d/chairs-{name}",
        recipe="shape3d/clouds",
        metric={"name": "shape3d/clouds"},
        better="higher" if score == "coverage" else "lower",
        n={"quick": 80, "full": 80},
        score=score,
        baselines={
            "training clouds": {"of": "training"},
            "jittered copies of training clouds": {"of": "jittered"},
            "Gaussian": {"of": "gaussian"},
            "pooled points": {"of": "pooled-points"},
            "model, rescaled": {"rescale": True},
        },
        seeds={"quick": 1, "full": 3},
        settings={"data.data": {"name": "shape3d/modelnet10-points", "category": "chair"}},
        needs=NEEDS,
        group="shape3d/chairs",
        note="surfaces of the cleaned test grids, 512 points, Chamfer distance",
    )


CASES = SimpleNamespace(
    **{
        "recovery-furniture": _recovery(
            "furniture",
            "error-grid",
            0.0910,  # of the Gaussian vote
            "embedded grids of 12^3",
            {"data.data.of": {"name": "shape3d/grids", "size": 12}},
            needs={},
        ),
        **{
            f"recovery-{category}": _recovery(
                category, "error", vote, "stated at 30^3", {"data.data.of.categories": [category]}, NEEDS
            )
            for category, vote in VOTES.items()
        },
        "recovery-all": Mean(
            name="shape3d/recovery-all",
            of=tuple(f"shape3d/recovery-{category}" for category in VOTES),
            published=(Published(0.0092, "Xie et al., mean over ten categories, other data and masks", "memory"),),
            group="shape3d/recovery",
        ),
        **{f"half-{name}-{category}": _half(category, name) for name in HALVES for category in VOTES},
        **{
            f"chairs-{name}": _clouds(name, score)
            for name, score in (
                ("1-nna", "1-nna"),
                ("mmd", "minimum-matching-distance"),
                ("coverage", "coverage"),
                ("jsd", "jsd"),
            )
        },
    }
)
"""Every case by its name without the prefix."""
