"""Learning: players (the nets and their optimisers) and trainers (how they are updated)."""

from ebmsuite.learning.density import NormalisedLikelihood
from ebmsuite.learning.latent import LatentPrior
from ebmsuite.learning.mle import MaximumLikelihood
from ebmsuite.learning.players import Optimiser, Players
from ebmsuite.learning.trainer import Logs, Trainer
from ebmsuite.learning.vae import VariationalAutoencoder

__all__ = [
    "LatentPrior",
    "Logs",
    "MaximumLikelihood",
    "NormalisedLikelihood",
    "Optimiser",
    "Players",
    "Trainer",
    "VariationalAutoencoder",
]
