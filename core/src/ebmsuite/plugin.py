"""The suite's own plugin: the components whose names have no prefix."""

from __future__ import annotations

from ebmsuite.hookspecs import Component, hookimpl

ebm_api = 1

NIJKAMP_2019 = "Nijkamp, Hill, Zhu, Wu. On Learning Non-Convergent Non-Persistent Short-Run MCMC. NeurIPS 2019"
XIE_2016 = "Xie, Lu, Zhu, Wu. A Theory of Generative ConvNet. ICML 2016"
DU_2019 = "Du, Mordatch. Implicit Generation and Modeling with Energy-Based Models. NeurIPS 2019"
GRATHWOHL_2020 = (
    "Grathwohl, Wang, Jacobsen, Duvenaud, Norouzi, Swersky. Your Classifier Is Secretly an Energy Based Model and You "
    "Should Treat It Like One. ICLR 2020"
)
HAN_2017 = "Han, Lu, Zhu, Wu. Alternating Back-Propagation for Generator Network. AAAI 2017"

PANG_2020 = "Pang, Han, Nijkamp, Zhu, Wu. Learning Latent Space Energy-Based Prior Model. NeurIPS 2020"
KINGMA_2014 = "Kingma, Welling. Auto-Encoding Variational Bayes. ICLR 2014"

MLE_EXAMPLE = {
    "recipe": "mle-example",
    "data": {"data": {"name": "normal", "n": 256, "mean": 1.0, "sd": 0.5}},
    "players": {"energy": {"name": "quadratic"}},
    "trainer": {"name": "mle"},
    "phases": {
        "negative": {
            "chains": {
                "name": "buffer",
                "size": 64,
                "fresh": 0.1,
                "density": {"name": "gaussian", "sd": 1.0},
            },
            "sampler": {"name": "langevin", "step_size": 0.3},
            "steps": 5,
        }
    },
    "optimisers": {"energy": {"name": "adam", "lr": 0.02, "ema": 0.9}},
    "budget": {"steps": 12, "batch": 16},
}


NOISE = {"name": "noise", "density": {"name": "gaussian"}}
ADAM = {"name": "adam", "lr": 1e-3}
SMALL = {"width": 16, "depth": 1}
PLANE = {"data": {"name": "normal", "n": 256, "dim": 2, "mean": 1.0, "sd": 0.5}}
LATENT_EXAMPLE = {
    "recipe": "latent-example",
    "data": PLANE,
    "latent": 2,
    "players": {
        "energy": {"name": "mlp", "of": "latent", "reference_sd": 1.0, **SMALL},
        "generator": {"name": "mlp", **SMALL},
        "encoder": {"name": "mlp-encoder", **SMALL},
    },
    "trainer": {"name": "latent"},
    "phases": {
        "posterior": {
            "chains": {"name": "proposal"},
            "sampler": {"name": "langevin", "step_size": 0.1},
            "steps": 3,
        },
        "prior": {"chains": NOISE, "sampler": {"name": "langevin", "step_size": 0.4}, "steps": 5},
    },
    "optimisers": {"energy": ADAM, "generator": {**ADAM, "ema": 0.9}, "encoder": ADAM},
    "budget": {"steps": 12, "batch": 16},
}
LIKELIHOOD_EXAMPLE = {
    "recipe": "likelihood-example",
    "data": PLANE,
    "players": {"density": {"name": "diagonal"}},
    "trainer": {"name": "likelihood"},
    "optimisers": {"density": ADAM},
    "budget": {"steps": 12, "batch": 16},
}
VAE_EXAMPLE = {
    "recipe": "vae-example",
    "data": PLANE,
    "latent": 2,
    "players": {"generator": {"name": "mlp", **SMALL}, "encoder": {"name": "mlp-encoder", **SMALL}},
    "trainer": {"name": "vae"},
    "optimisers": {"generator": ADAM, "encoder": ADAM},
    "budget": {"steps": 12, "batch": 16},
}


@hookimpl
def ebm_energies() -> list[Component]:
    return [
        Component("mlp", "ebmsuite.nets:mlp_energy", "multilayer perceptron on the flattened event", XIE_2016),
        Component(
            "mlp-classes",
            "ebmsuite.nets:mlp_classes",
            "multilayer perceptron whose logits are a classifier and an energy",
            GRATHWOHL_2020,
        ),
        Component("quadratic", "ebmsuite.nets:Quadratic", "the Gaussian as an exponential family"),
        Component("constant", "ebmsuite.nets:Constant", "one number: a normalising constant that is learned"),
    ]


@hookimpl
def ebm_densities() -> list[Component]:
    return [
        Component("gaussian", "ebmsuite.density:Gaussian", "N(mean, sd^2 I)"),
        Component("uniform", "ebmsuite.density:Uniform", "uniform on [low, high] in every coordinate"),
        Component("diagonal", "ebmsuite.density:Diagonal", "a normal distribution with learned means and deviations"),
        Component(
            "mlp-encoder",
            "ebmsuite.nets:mlp_encoder",
            "normal distribution of the latent vector, by an MLP",
            KINGMA_2014,
        ),
        Component("categorical", "ebmsuite.density:Categorical", "uniform over the categories of one-hot events"),
    ]


@hookimpl
def ebm_generators() -> list[Component]:
    return [Component("mlp", "ebmsuite.nets:mlp_generator", "multilayer perceptron from a normal latent vector")]


@hookimpl
def ebm_samplers() -> list[Component]:
    at = "ebmsuite.sampling."
    return [
        Component("langevin", at + "langevin:Langevin",
                  "unadjusted Langevin dynamics, gradient weight and noise scale decoupled", NIJKAMP_2019),
        Component("mala", at + "mala:MALA", "Langevin dynamics with a Metropolis test",
                  "Roberts, Tweedie. Exponential Convergence of Langevin Distributions. Bernoulli 1996"),
        Component("hmc", at + "hmc:HMC", "Hamiltonian Monte Carlo",
                  "Neal. MCMC Using Hamiltonian Dynamics. Handbook of Markov Chain Monte Carlo, 2011"),
        Component("nuts", at + "nuts:NUTS", "the no-U-turn sampler, vectorised over chains",
                  "Hoffman, Gelman. The No-U-Turn Sampler. JMLR 2014"),
        Component("annealed-langevin", at + "annealed:AnnealedLangevin", "Langevin dynamics that cools",
                  "Song, Ermon. Generative Modeling by Estimating Gradients of the Data Distribution. NeurIPS 2019"),
        Component("parallel-tempering", at + "tempering:ParallelTempering", "chains at several temperatures, exchanged",
                  "Geyer. Markov Chain Monte Carlo Maximum Likelihood. 1991"),
        Component("descent", at + "descent:Descent", "to a mode: Langevin dynamics at temperature zero"),
        Component("gibbs-with-gradients", at + "gibbs:GibbsWithGradients", "one site at a time of a one-hot event",
                  "Grathwohl, Swersky, Hashemi, Duvenaud, Maddison. Oops I Took A Gradient. ICML 2021"),
    ]  # fmt: skip


@hookimpl
def ebm_chains() -> list[Component]:
    at = "ebmsuite.sampling.chains:"
    return [
        Component("noise", at + "Noise", "from a density, every time: short-run MCMC", NIJKAMP_2019),
        Component("data", at + "Data", "from the examples: contrastive divergence",
                  "Hinton. Training Products of Experts by Minimizing Contrastive Divergence. 2002"),
        Component("buffer", at + "Buffer", "from where chains were left: persistent chains, replay", DU_2019),
        Component("memory", at + "Memory", "from where this example's chain was left", HAN_2017),
        Component("proposal", at + "Proposal", "from what the trainer proposes",
                  "Xie, Lu, Gao, Wu. Cooperative Learning of Energy-Based Model and Latent Variable Model. AAAI 2018"),
    ]  # fmt: skip


@hookimpl
def ebm_trainers() -> list[Component]:
    return [
        Component(
            "mle",
            "ebmsuite.learning.mle:MaximumLikelihood",
            "maximum likelihood: E(data) down, E(samples) up",
            XIE_2016,
            example=MLE_EXAMPLE,
        ),
        Component(
            "latent",
            "ebmsuite.learning.latent:LatentPrior",
            "an energy on the latent vector of a generator, posterior and prior by short chains",
            PANG_2020,
            example=LATENT_EXAMPLE,
        ),
        Component(
            "vae",
            "ebmsuite.learning.vae:VariationalAutoencoder",
            "the variational auto-encoder, for comparison",
            KINGMA_2014,
            example=VAE_EXAMPLE,
        ),
        Component(
            "likelihood",
            "ebmsuite.learning.density:NormalisedLikelihood",
            "maximum likelihood of a density that is normalised as it stands",
            example=LIKELIHOOD_EXAMPLE,
        ),
    ]


@hookimpl
def ebm_optimisers() -> list[Component]:
    at = "ebmsuite.learning.optimisers:"
    return [
        Component("adam", at + "adam", "Adam", "Kingma, Ba. Adam. ICLR 2015"),
        Component("adamw", at + "adamw", "Adam with decoupled weight decay"),
        Component("sgd", at + "sgd", "stochastic gradient descent with momentum"),
    ]


@hookimpl
def ebm_datasets() -> list[Component]:
    return [Component("normal", "ebmsuite.dataset:NormalSamples", "draws from a Gaussian that is known")]


@hookimpl
def ebm_watchers() -> list[Component]:
    at = "ebmsuite.watch."
    return [
        Component("log", at + "log:MetricLog", "metrics.jsonl, a row every log.every steps"),
        Component("guard", at + "guard:Guard", "stability: rolls back and lowers the learning rate, or stops"),
        Component("progress", at + "progress:Progress", "a progress bar with rate, gap and time left"),
        Component("report", at + "report:ReportWriter", "writes report.html when scores or pictures are new"),
        Component("tensorboard", at + "tensorboard:TensorBoard", "scalars for TensorBoard",
                  needs=("tensorboard",)),
    ]  # fmt: skip
