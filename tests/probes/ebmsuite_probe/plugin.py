from ebmsuite.hookspecs import Component, hookimpl

ebm_api = 1

DATA = {"data": {"name": "normal", "dim": 2, "n": 256, "mean": 1.0, "sd": 0.5}}
MLP = {"name": "mlp", "width": 16, "depth": 1}
ADAM = {"name": "adam", "lr": 1e-3}
COOPERATIVE = {
    "recipe": "cooperative-probe",
    "data": DATA,
    "latent": 2,
    "players": {"energy": MLP, "generator": MLP},
    "trainer": {"name": "probe/cooperative"},
    "phases": {
        "negative": {
            "chains": {"name": "proposal"},
            "sampler": {"name": "langevin", "step_size": 0.1},
            "steps": 5,
        }
    },
    "optimisers": {"energy": ADAM, "generator": {**ADAM, "ema": 0.9}},
    "budget": {"steps": 12, "batch": 16},
}


@hookimpl
def ebm_trainers():
    prefix = "ebmsuite_probe.trainers:"
    return [
        Component("probe/cooperative", prefix + "Cooperative", "cooperative learning", example=COOPERATIVE),
    ]


@hookimpl
def ebm_metrics():
    return [
        Component("probe/mean", "ebmsuite_probe.trainers:MeanDistance", "distance of means"),
        Component("probe/needs-file", "ebmsuite_probe.trainers:NeedsFile", "a metric that needs a file"),
    ]


@hookimpl
def ebm_energies():
    return [Component("probe/coupled", "ebmsuite_probe.words:coupled", "an energy whose rows are not independent")]


@hookimpl
def ebm_datasets():
    return [
        Component("probe/words", "ebmsuite_probe.words:Words", "random words of three letters, one-hot"),
        Component("probe/drawn", "ebmsuite_probe.pictures:Drawn", "normal samples that can be drawn"),
    ]


@hookimpl
def ebm_codecs():
    prefix = "ebmsuite_probe.pictures:"
    return [
        Component("probe/drawing", prefix + "Drawing", "draws signals and pictures"),
        Component("probe/moving", prefix + "Moving", "draws signals and pictures that move"),
    ]


@hookimpl
def ebm_tasks():
    prefix = "ebmsuite_probe.trainers:"
    return [
        Component("probe/count", prefix + "Count", "count samples"),
        Component("probe/silent", prefix + "Silent", "a task that gives no facts"),
    ]
