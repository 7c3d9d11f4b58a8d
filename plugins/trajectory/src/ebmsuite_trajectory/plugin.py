"""The components of the trajectory plugin: names and import strings only."""

from __future__ import annotations

from collections.abc import Mapping

from ebmsuite.hookspecs import Component, hookimpl
from ebmsuite_trajectory.papers import PAPERS

ebm_api = 1


@hookimpl
def ebm_papers() -> Mapping[str, str]:
    return PAPERS


@hookimpl
def ebm_datasets() -> list[Component]:
    at = "ebmsuite_trajectory.data."
    return [
        Component(
            "trajectory/eth-ucy",
            at + "ethucy:eth_ucy",
            "pedestrians of ETH and UCY, leave-one-out by scene",
            "pellegrini2009",
        ),
        Component("trajectory/zara01", at + "ethucy:zara01", "the embedded recording UCY zara01", "lerner2007"),
        Component("trajectory/tracks-file", at + "tracks_file:tracks_file", "your own file of tracks"),
        Component("trajectory/lanes", at + "lanes:lanes", "drivers on a road, drawn from a known cost", "xu2022"),
    ]


@hookimpl
def ebm_codecs() -> list[Component]:
    return [
        Component("trajectory/tracks", "ebmsuite_trajectory.codec:TrackCodec", "files of tracks to windows and back"),
        Component(
            "trajectory/controls", "ebmsuite_trajectory.controls:ControlCodec", "control sequences and their dynamics"
        ),
    ]


@hookimpl
def ebm_energies() -> list[Component]:
    return [
        Component(
            "trajectory/controls",
            "ebmsuite_trajectory.controls:controls_energy",
            "cost of a control sequence under known dynamics",
            "xu2022",
        ),
    ]


@hookimpl
def ebm_densities() -> list[Component]:
    return [
        Component(
            "trajectory/plan-encoder",
            "ebmsuite_trajectory.nets:plan_encoder",
            "encoder of a past and a plan to a latent belief",
            "pang2021",
        ),
    ]


@hookimpl
def ebm_generators() -> list[Component]:
    return [
        Component(
            "trajectory/plan",
            "ebmsuite_trajectory.nets:plan_generator",
            "decoder of a latent belief to a plan and to the future",
            "pang2021",
        ),
    ]


@hookimpl
def ebm_metrics() -> list[Component]:
    at = "ebmsuite_trajectory.metrics:"
    return [
        Component(
            "trajectory/forecast",
            at + "Forecast",
            "displacement, density and calibration of sampled futures",
            "gupta2018",
        ),
        Component("trajectory/weights", at + "Weights", "angle between learned and true weights of a cost", "xu2022"),
    ]


@hookimpl
def ebm_tasks() -> list[Component]:
    return [
        Component(
            "trajectory/predict",
            "ebmsuite_trajectory.tasks.predict:Predict",
            "predict futures of the agents in your file of tracks",
        ),
    ]


@hookimpl
def ebm_renderers() -> list[Component]:
    at = "ebmsuite_trajectory.render:"
    return [
        Component("trajectory/overlay", at + "Overlay", "sampled futures over the past and the true future"),
        Component("trajectory/paths", at + "Paths", "sampled paths on the road beside those of experts"),
    ]


@hookimpl
def ebm_recipes() -> list[Component]:
    at = "ebmsuite_trajectory:recipes/"
    return [
        Component(
            "trajectory/zara-lebm",
            at + "zara-lebm.yaml",
            "latent belief energy on the embedded recording",
            "pang2021",
        ),
        Component(
            "trajectory/zara-cvae",
            at + "zara-cvae.yaml",
            "conditional VAE with the networks of LB-EBM on the embedded recording, a baseline",
            "sohn2015",
        ),
        Component(
            "trajectory/eth-ucy-lebm", at + "eth-ucy-lebm.yaml", "latent belief energy on ETH and UCY", "pang2021"
        ),
        Component(
            "trajectory/eth-ucy-cvae",
            at + "eth-ucy-cvae.yaml",
            "conditional VAE with the networks of LB-EBM on ETH and UCY, a baseline",
            "sohn2015",
        ),
        Component(
            "trajectory/lanes-ioc",
            at + "lanes-ioc.yaml",
            "weights of a driving cost, learned from drivers among obstacles",
            "xu2022",
        ),
        Component(
            "trajectory/linear-ioc",
            at + "linear-ioc.yaml",
            "weights of a quadratic cost with linear dynamics, a problem with an exact solution",
            "xu2022",
        ),
    ]


@hookimpl
def ebm_cases() -> list[Component]:
    at = "ebmsuite_trajectory.cases:CASES."
    scores = {
        "ade": "best-of-20 average displacement",
        "fde": "best-of-20 final displacement",
        "ade-selected": "average displacement of the future selected by its plan",
        "fde-selected": "final displacement of the future selected by its plan",
        "kde-nll": "negative log-density of the true future",
        "miss-rate": "share of windows with a final displacement above 2 m",
        "calibration": "calibration of the final position",
    }
    places = ("zara", "eth", "hotel", "univ", "zara1", "zara2", "all", "without-eth")
    return [
        Component(f"trajectory/{place}-{score}", f"{at}{place}-{score}", f"{place}: {what}", "pang2021")
        for score, what in scores.items()
        for place in places
    ] + [
        Component("trajectory/linear-weights", at + "linear-weights", "angle of weights, exact problem", "xu2022"),
        Component("trajectory/lanes-weights", at + "lanes-weights", "angle of weights among obstacles", "xu2022"),
    ]
