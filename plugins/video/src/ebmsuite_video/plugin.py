"""The components of the video plugin: names and import strings only."""

from __future__ import annotations

from collections.abc import Mapping

from ebmsuite.hookspecs import Component, hookimpl
from ebmsuite_video.papers import PAPERS

ebm_api = 1


@hookimpl
def ebm_papers() -> Mapping[str, str]:
    return PAPERS


@hookimpl
def ebm_datasets() -> list[Component]:
    return [
        Component("video/clip", "ebmsuite_video.data.clip:Clip", "a clip of a film: your own, or one by name"),
        Component("video/shared", "ebmsuite_video.data.clip:Shared", "a dynamic texture by name", "peteri2010"),
        Component("video/clips", "ebmsuite_video.data.clip:Clips", "clips of all films in a folder"),
        Component("video/ripples", "ebmsuite_video.data.ripples:Ripples", "computed waves on water, not filmed"),
    ]


@hookimpl
def ebm_codecs() -> list[Component]:
    return [Component("video/frames", "ebmsuite_video.codec:Frames", "films to clips of one size and back")]


@hookimpl
def ebm_energies() -> list[Component]:
    return [
        Component(
            "video/convnet",
            "ebmsuite_video.energies:st_convnet",
            "spatial-temporal ConvNet on the published scale, stationary in space and time, in time, or in neither",
            "xie2017",
        ),
    ]


@hookimpl
def ebm_densities() -> list[Component]:
    return [
        Component(
            "video/linear-dynamics",
            "ebmsuite_video.dynamics:LinearDynamics",
            "linear dynamic texture: states of principal components with a linear transition, fitted directly",
            "doretto2003",
        ),
    ]


@hookimpl
def ebm_chains() -> list[Component]:
    return [
        Component(
            "video/fill",
            "ebmsuite_video.fills:Fill",
            "hidden voxels start at a temporal, harmonic or total-variation fill of the visible ones",
        ),
    ]


@hookimpl
def ebm_metrics() -> list[Component]:
    at = "ebmsuite_video.metrics:"
    return [
        Component(
            "video/texture", at + "Texture", "spectra, spreads, direction of time and copies of synthesised clips"
        ),
        Component("video/recovery", at + "RecoveryError", "mean absolute error of recovered voxels", "xie2021"),
    ]


@hookimpl
def ebm_tasks() -> list[Component]:
    return [
        Component("video/generate", "ebmsuite_video.tasks.generate:Generate", "synthesise films", "xie2017"),
        Component(
            "video/recover", "ebmsuite_video.tasks.recover:Recover", "recover the hidden part of a film", "xie2021"
        ),
    ]


@hookimpl
def ebm_renderers() -> list[Component]:
    at = "ebmsuite_video.render:"
    return [
        Component("video/films", at + "FilmSheet", "synthesised clips beside the training clip, as films and frames"),
        Component("video/recovered", at + "Recovered", "damaged, recovered and true clips, as films and frames"),
    ]


@hookimpl
def ebm_recipes() -> list[Component]:
    at = "ebmsuite_video:recipes/"
    return [
        Component("video/ripples", at + "ripples.yaml", "computed ripples, stationary in space and time", "song2019"),
        Component("video/fire", at + "fire.yaml", "fire under a pot, stationary in time", "song2019"),
        Component("video/sea", at + "sea.yaml", "waves of the sea, stationary in space and time", "song2019"),
        Component("video/fire-mle", at + "fire-mle.yaml", "video/fire with kept chains, as published", "xie2017"),
        Component("video/sea-mle", at + "sea-mle.yaml", "video/sea with kept chains, as published", "xie2017"),
        Component(
            "video/ripples-mle", at + "ripples-mle.yaml", "video/ripples with kept chains, as published", "xie2017"
        ),
        Component(
            "video/pedestrians-recovery",
            at + "pedestrians-recovery.yaml",
            "recovery of half of the frames of the embedded clip",
            "domke2012",
        ),
        Component("video/recovery", at + "recovery.yaml", "recovery of a flag or a fountain from damage", "domke2012"),
        Component(
            "video/recovery-filling", at + "recovery-filling.yaml", "video/recovery by a network without an energy"
        ),
        Component(
            "video/recovery-mle",
            at + "recovery-mle.yaml",
            "video/recovery with two Langevin dynamics, as published",
            "xie2021",
        ),
    ]


@hookimpl
def ebm_cases() -> list[Component]:
    at = "ebmsuite_video.cases:CASES."
    scores = {
        "temporal": "power spectrum over time",
        "temporal-ratio": "power spectrum over time, relative to the better of a linear system and shuffled frames",
        "radial": "power spectrum over spatial frequency",
        "sd-space": "standard deviation over the pixels of a frame",
        "sd-time": "standard deviation over the frames of a pixel",
        "frame-difference": "difference between consecutive frames",
        "direction": "direction of time",
        "copy": "distance to the nearest training window",
        "diversity": "distance between chains",
    }
    masks = {
        "region": "a square in every frame",
        "frames": "half of the frames",
        "salt": "half of the pixels",
        "fixed": "a square that stays",
    }
    return [
        Component(f"video/{clip}-{score}", f"{at}{clip}-{score}", f"{clip}: {what}", "xie2017")
        for clip in ("ripples", "fire", "sea")
        for score, what in scores.items()
    ] + [
        Component(f"video/{clip}-{mask}", f"{at}{clip}-{mask}", f"{clip}: recovery of {what}", "xie2021")
        for clip in ("flag", "fountain")
        for mask, what in masks.items()
    ]
