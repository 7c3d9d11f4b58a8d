"""What the toy domain offers: names and import strings only."""

from __future__ import annotations

from ebmsuite.hookspecs import Component, hookimpl

ebm_api = 1

NIJKAMP_2020 = (
    "Nijkamp, Hill, Han, Zhu, Wu. On the Anatomy of MCMC-Based Maximum Likelihood Learning of EBMs. AAAI 2020"
)
GUTMANN_2012 = "Gutmann, Hyvarinen. Noise-Contrastive Estimation of Unnormalized Statistical Models. JMLR 2012"
NEAL_2003 = "Neal. Slice Sampling. Annals of Statistics 2003"
HAARIO_1999 = "Haario, Saksman, Tamminen. Adaptive Proposal Distribution for Random Walk Metropolis Algorithm. 1999"

AT = "ebmsuite.toy.densities:"
SMOOTH = [
    Component("toy/eight-gaussians", AT + "eight_gaussians", "Gaussians on a circle", NIJKAMP_2020),
    Component("toy/rings", AT + "Rings", "rings within rings", NIJKAMP_2020),
    Component("toy/pinwheel", AT + "Pinwheel", "bent arms around a centre"),
    Component("toy/two-moons", AT + "two_moons", "two half circles that reach into one another"),
    Component("toy/funnel", AT + "Funnel", "Neal's funnel, of any dimension", NEAL_2003),
    Component("toy/banana", AT + "Banana", "a bent Gaussian", HAARIO_1999),
    Component(
        "toy/embedded", AT + "Embedded", "Gaussians on a circle, seen through a known generator in 10 dimensions"
    ),
    Component("toy/signals", AT + "Signals", "signals of one axis, of a few bands of frequencies"),
    Component("toy/ill-conditioned", AT + "IllConditioned", "a Gaussian of very unequal widths, of any dimension"),
]
"""Known densities are energies too: for what samples, or compares itself with, an energy that is not learned."""


@hookimpl
def ebm_energies() -> list[Component]:
    return SMOOTH


@hookimpl
def ebm_densities() -> list[Component]:
    return [*SMOOTH, Component("toy/checkerboard", AT + "Checkerboard", "uniform on every other square")]


@hookimpl
def ebm_datasets() -> list[Component]:
    return [Component("toy/points", "ebmsuite.toy.data:Points", "draws of a density that is known")]


@hookimpl
def ebm_codecs() -> list[Component]:
    return [Component("toy/points", "ebmsuite.toy.codec:PointFiles", "points in .csv files, and as a scatter plot")]


@hookimpl
def ebm_metrics() -> list[Component]:
    return [
        Component("toy/divergence", "ebmsuite.toy.metrics:Divergence",
                  "KL(data || model) and log-likelihood of held-out points, normalised on a grid"),
        Component("toy/latent-divergence", "ebmsuite.toy.metrics:LatentDivergence",
                  "the same of a model with a latent vector in the plane, summed over a grid of it"),
        Component("toy/samples", "ebmsuite.toy.metrics:Samples",
                  "sliced Wasserstein distance and MMD of samples, with that of real points"),
        Component("toy/statistics", "ebmsuite.toy.metrics:Statistics",
                  "how far samples are from the statistics that FRAME matches"),
        Component("toy/accuracy", "ebmsuite.toy.metrics:Accuracy", "how many labels the model tells"),
        Component("toy/recovery", "ebmsuite.toy.metrics:Recovery",
                  "error of hidden coordinates that the model fills in, with the best possible"),
    ]  # fmt: skip


@hookimpl
def ebm_tasks() -> list[Component]:
    return [Component("toy/log-density", "ebmsuite.toy.tasks:LogDensityOfPoints", "a user's points under the model")]


@hookimpl
def ebm_renderers() -> list[Component]:
    return [
        Component("toy/picture", "ebmsuite.toy.render:Picture", "truth, model, samples and chains side by side"),
    ]


@hookimpl
def ebm_recipes() -> list[Component]:
    at = "ebmsuite.toy:recipes/"
    return [
        Component("toy/rings", at + "rings.yaml", "four rings by persistent chains", NIJKAMP_2020),
        Component("toy/eight-gaussians", at + "eight-gaussians.yaml", "eight modes by persistent chains", NIJKAMP_2020),
        Component("toy/rings-short-run", at + "rings-short-run.yaml",
                  "four rings by chains too short to converge: good samples, no density", NIJKAMP_2020),
        Component("toy/nce", at + "nce.yaml", "four rings by telling them from noise", GUTMANN_2012),
    ]  # fmt: skip


@hookimpl
def ebm_cases() -> list[Component]:
    at = "ebmsuite.toy.cases:"
    return [
        Component("toy/rings-kl", at + "RINGS", "rings by persistent chains, in nats"),
        Component("toy/eight-gaussians-kl", at + "EIGHT_GAUSSIANS", "eight modes by persistent chains, in nats"),
        Component("toy/rings-short-run-samples", at + "SHORT_RUN", "rings by short-run chains, by samples"),
        Component("toy/nce-kl", at + "NCE", "rings by noise contrast, in nats"),
    ]
