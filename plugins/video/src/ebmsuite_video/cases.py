"""The evaluation suite: statistics of synthesised textures and errors of recovery, beside simple baselines."""

from __future__ import annotations

from types import SimpleNamespace

from ebmsuite.scores import Case

__all__ = ["CASES"]

ROWS = {
    "other half of the film": {"of": "held-out"},
    "linear dynamical system": {"of": "lds"},
    "shuffled frames": {"of": "shuffled"},
    "white noise": {"of": "noise"},
    "reversed copy": {"of": "reversed"},
}
FILLS = {
    "temporal-linear fill": {"of": "temporal"},
    "harmonic fill": {"of": "harmonic"},
    "total-variation fill": {"of": "tv"},
}
REGION = [{"name": "region", "hidden": 0.16, "axes": [2, 3], "per": [1]}]
MASKS = {
    "region": REGION,
    "frames": [{"name": "slices", "axis": 1, "hidden": 0.5}],
    "salt": [{"name": "random", "hidden": 0.5, "together": [0]}],
}
NEEDS = {"quick": ("data:video/shared",), "full": ("data:video/shared",)}


def _texture(clip: str, score: str) -> Case:
    higher = score in ("direction", "copy", "diversity")
    return Case(
        name=f"video/{clip}-{score}",
        recipe=f"video/{clip}",
        metric={"name": "video/texture"},
        better="higher" if higher else "lower",
        n={"quick": 3, "full": 3},
        score=score,
        bar={"quick": 1.0, "full": 1.0} if score in ("copy", "diversity") else {},
        baselines=ROWS,
        seeds={"quick": 1, "full": 3},
        needs={} if clip == "ripples" else NEEDS,
        group=f"video/{clip}-texture",
        note="the kept chains of learning; the bar of temporal is both the linear system and the shuffled frames",
    )


def _recovery(clip: str, mask: str) -> Case:
    return Case(
        name=f"video/{clip}-{mask}",
        recipe="video/recovery",
        metric={"name": "video/recovery"},
        better="lower",
        n={"quick": 1, "full": 1},
        settings={"data.data.of.clip": clip, "data.data.masks": MASKS[mask]},
        baselines=FILLS,
        seeds={"quick": 1, "full": 3},
        needs=NEEDS,
        group="video/recovery",
    )


SCORES = ("temporal", "radial", "sd-space", "sd-time", "frame-difference", "direction", "copy", "diversity")

CASES = SimpleNamespace(
    **(
        {f"{clip}-{score}": _texture(clip, score) for clip in ("ripples", "fire", "sea") for score in SCORES}
        | {f"{clip}-{mask}": _recovery(clip, mask) for clip in ("flag", "fountain") for mask in MASKS}
    )
)
"""Every case by its name without the prefix."""
