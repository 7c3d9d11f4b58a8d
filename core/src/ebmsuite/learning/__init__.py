"""Learning: players (the nets and their optimisers) and trainers (how they are updated)."""

from ebmsuite.learning.coarse_to_fine import CoarseToFine
from ebmsuite.learning.density import NormalisedLikelihood
from ebmsuite.learning.incomplete import IncompleteLikelihood
from ebmsuite.learning.introspective import Introspective
from ebmsuite.learning.joint import JointClassifier
from ebmsuite.learning.latent import LatentPrior
from ebmsuite.learning.mle import MaximumLikelihood
from ebmsuite.learning.multigrid import MultiGrid
from ebmsuite.learning.players import Optimiser, Players
from ebmsuite.learning.trainer import Logs, Trainer
from ebmsuite.learning.vae import VariationalAutoencoder

__all__ = [
    "CoarseToFine",
    "IncompleteLikelihood",
    "Introspective",
    "JointClassifier",
    "LatentPrior",
    "Logs",
    "MaximumLikelihood",
    "MultiGrid",
    "NormalisedLikelihood",
    "Optimiser",
    "Players",
    "Trainer",
    "VariationalAutoencoder",
]
