"""The evaluation suite: published values, baselines without learning, and the ablation of the energy."""

from __future__ import annotations

from types import SimpleNamespace

from ebmsuite.scores import Case, Mean, Published

__all__ = ["CASES"]

SCENES = ("eth", "hotel", "univ", "zara1", "zara2")

BASELINES = {
    "constant velocity": {"of": "constant-velocity"},
    "random constant velocity": {"of": "random-constant-velocity"},
    "random and constant velocity": {"of": "constant-and-random"},
}

PUBLISHED = {
    "ade-selected": {"eth": 0.30, "hotel": 0.13, "univ": 0.27, "zara1": 0.20, "zara2": 0.15, "all": 0.21},
    "fde-selected": {"eth": 0.52, "hotel": 0.20, "univ": 0.52, "zara1": 0.37, "zara2": 0.29, "all": 0.38},
}
"""LB-EBM (Pang et al., CVPR 2021), which selects the epoch on the test set."""

RERUN = {"ade-selected": 0.60, "fde-selected": 1.06}
"""LB-EBM on the scene eth, run again by others on the common preprocessing."""

BARS = {"ade": 0.30, "fde": 0.55}
"""Bars on the mean over the five scenes."""

ON_ETH = {"ade": 0.671, "fde": 1.235}
"""Bars on eth, whose agents are faster than those of all other scenes: random with constant velocity."""

SCORES = ("ade", "fde", "ade-selected", "fde-selected", "kde-nll", "miss-rate", "calibration")

NEEDS = {"quick": ("data:trajectory/eth-ucy",), "full": ("data:trajectory/eth-ucy",)}


def _published(score: str, place: str) -> tuple[Published, ...]:
    values = PUBLISHED.get(score, {})
    found = [Published(values[place], "LB-EBM, epoch selected on test")] if place in values else []
    if place == "eth" and score in RERUN:
        found.append(Published(RERUN[score], "LB-EBM run again on this preprocessing", "review"))
    return tuple(found)


def _case(score: str, place: str) -> Case:
    embedded = place == "zara"
    recipe = "zara" if embedded else "eth-ucy"
    density = score in ("kde-nll", "calibration")
    return Case(
        name=f"trajectory/{place}-{score}",
        recipe=f"trajectory/{recipe}-lebm",
        metric={"name": "trajectory/forecast", "repeats": 3},
        better="lower",
        n={"quick": 500, "full": 2500},
        score=score,
        bar=dict.fromkeys(("quick", "full"), ON_ETH[score]) if place == "eth" and score in ON_ETH else {},
        published=_published(score, place),
        baselines={
            **{label: by for label, by in BASELINES.items() if not (density and by["of"] == "constant-velocity")},
            "CVAE": {"recipe": f"trajectory/{recipe}-cvae"},
        },
        seeds={"quick": 1, "full": 3},
        settings={} if embedded else {"data.data.scene": place},
        needs={} if embedded else NEEDS,
        group=f"trajectory/{recipe}-{score}",
        note="the last step, windows drawn at random from the test scene" if not embedded else "split by time",
    )


def _mean(score: str, name: str, places: tuple[str, ...]) -> Mean:
    bar = BARS.get(score) if name == "all" else None
    return Mean(
        name=f"trajectory/{name}-{score}",
        of=tuple(f"trajectory/{place}-{score}" for place in places),
        published=_published(score, name),
        bar={} if bar is None else {"quick": bar, "full": bar},
        margins={"quick": {"CVAE": 0.0}, "full": {"CVAE": 0.0}} if score == "kde-nll" and name == "all" else {},
        group=f"trajectory/eth-ucy-{score}",
    )


def _weights(name: str, note: str) -> Case:
    return Case(
        name=f"trajectory/{name}-weights",
        recipe=f"trajectory/{name}-ioc",
        metric={"name": "trajectory/weights"},
        better="lower",
        n={"quick": 1, "full": 1},
        score="angle",
        bar={"quick": 5.0, "full": 5.0},
        baselines={"equal weights": {"of": "equal"}},
        seeds={"quick": 1, "full": 3},
        note=note,
    )


CASES = SimpleNamespace(**({
    f"{place}-{score}": _case(score, place) for score in SCORES for place in ("zara", *SCENES)
} | {
    f"{name}-{score}": _mean(score, name, places)
    for score in SCORES
    for name, places in (("all", SCENES), ("without-eth", SCENES[1:]))
} | {
    "linear-weights": _weights("linear", "exact draws of a normal distribution"),
    "lanes-weights": _weights("lanes", "drivers among obstacles"),
}))  # fmt: skip
"""Every case by its name without the prefix."""
