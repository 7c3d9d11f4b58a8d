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
    "fixed": [{"name": "region", "hidden": 0.16, "axes": [2, 3]}],
}
FILLED = {
    "flag-region": 9.52, "flag-frames": 7.18, "flag-salt": 6.06, "flag-fixed": 36.8,
    "fountain-region": 3.18, "fountain-frames": 3.07, "fountain-salt": 3.24, "fountain-fixed": 24.8,
}  # fmt: skip
"""The lowest error of a fill that learns nothing (docs/results/video.md)."""
BARS = {
    "temporal-ratio": {"quick": 1.0, "full": 1.0},
    "direction": {"quick": 0.0, "full": 0.0},
    "copy": {"quick": 1.0, "full": 1.0},
    "diversity": {"quick": 1.0, "full": 1.0},
}
FURTHER = MASKS | {
    "frames": [{"name": "slices", "axis": 1, "hidden": 0.3}],
    "salt": [{"name": "random", "hidden": 0.3, "together": [0]}],
}
"""What learning hides of the known part."""
STARTS: dict[str, dict[str, str | float]] = {
    "region": {"fill": "temporal"},
    "frames": {"fill": "temporal"},
    "salt": {"fill": "harmonic", "weight": 10.0, "steps": 15},
    "fixed": {"fill": "harmonic", "weight": 1.0, "steps": 60},
}
"""The fill at which descent starts."""
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
        bar=BARS.get(score, {}),
        baselines=ROWS,
        seeds={"quick": 1, "full": 3},
        needs={} if clip == "ripples" else NEEDS,
        group=f"video/{clip}-texture",
        note="the linear dynamical system is the start of the chains",
    )


def _recovery(clip: str, mask: str) -> Case:
    bar = FILLED[f"{clip}-{mask}"]
    return Case(
        name=f"video/{clip}-{mask}",
        recipe="video/recovery",
        metric={"name": "video/recovery"},
        better="lower",
        n={"quick": 1, "full": 1},
        settings={
            "data.data.of.of.clip": clip,
            "data.data.of.masks": MASKS[mask],
            "data.data.masks": FURTHER[mask],
            "phases.recovered.chains": {"name": "video/fill", **STARTS[mask]},
        },
        bar={"quick": bar, "full": bar},
        baselines={label: fill for label, fill in FILLS.items() if mask != "fixed" or fill["of"] != "temporal"},
        seeds={"quick": 1, "full": 3},
        needs=NEEDS,
        group="video/recovery",
        note="the bar is the lowest error of a fill at 75x75 pixels",
    )


SCORES = (
    "temporal",
    "temporal-ratio",
    "radial",
    "sd-space",
    "sd-time",
    "frame-difference",
    "direction",
    "copy",
    "diversity",
)

CASES = SimpleNamespace(
    **(
        {f"{clip}-{score}": _texture(clip, score) for clip in ("ripples", "fire", "sea") for score in SCORES}
        | {f"{clip}-{mask}": _recovery(clip, mask) for clip in ("flag", "fountain") for mask in MASKS}
    )
)
"""Every case by its name without the prefix."""
