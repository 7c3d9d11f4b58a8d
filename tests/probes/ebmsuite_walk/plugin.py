from ebmsuite.hookspecs import Component, hookimpl

ebm_api = 1


@hookimpl
def ebm_datasets():
    prefix = "ebmsuite_walk.data:"
    return [
        Component("walk/walkers", prefix + "Walkers", "walkers among others, with a tree of conditions"),
        Component("walk/plain", prefix + "Plain", "displacements without a condition and without a codec"),
    ]


@hookimpl
def ebm_codecs():
    return [Component("walk/track", "ebmsuite_walk.data:Track", "displacements in metres in csv files")]


@hookimpl
def ebm_energies():
    return [Component("walk/straight", "ebmsuite_walk.energies:Straight", "deviation from a straight walk")]


@hookimpl
def ebm_recipes():
    names = ("mle", "straight", "vae", "latent", "cooperative")
    return [Component(f"walk/{n}", f"ebmsuite_walk:recipes/{n}.yaml", f"walkers by {n}") for n in names]


@hookimpl
def ebm_metrics():
    return [Component("walk/best-of", "ebmsuite_walk.uses:BestOfK", "distance of the best of k samples from the truth")]


@hookimpl
def ebm_tasks():
    return [Component("walk/ahead", "ebmsuite_walk.uses:Ahead", "displacements of the walkers in your file")]
