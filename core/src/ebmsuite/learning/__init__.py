"""Learning: players (the nets and their optimisers) and trainers (how they are updated)."""

from ebmsuite.learning.abp import AlternatingBackpropagation
from ebmsuite.learning.coarse_to_fine import CoarseToFine
from ebmsuite.learning.cooperative import Cooperative
from ebmsuite.learning.cooperative_recovery import CooperativeRecovery
from ebmsuite.learning.cycle import CycleCooperative
from ebmsuite.learning.density import NormalisedLikelihood
from ebmsuite.learning.energy_matching import EnergyMatching
from ebmsuite.learning.fce import FlowContrast
from ebmsuite.learning.incomplete import IncompleteLikelihood
from ebmsuite.learning.introspective import Introspective
from ebmsuite.learning.joint import JointClassifier
from ebmsuite.learning.joint_vae import JointVAE
from ebmsuite.learning.latent import LatentPrior
from ebmsuite.learning.latent_score import LatentScoreMatching
from ebmsuite.learning.mle import MaximumLikelihood
from ebmsuite.learning.multigrid import MultiGrid
from ebmsuite.learning.nce import NoiseContrast
from ebmsuite.learning.players import Optimiser, Players
from ebmsuite.learning.pyramid import Pyramid
from ebmsuite.learning.recovery import RecoveryLikelihood
from ebmsuite.learning.score_matching import DenoisingScoreMatching
from ebmsuite.learning.symbol_vector import SymbolVector
from ebmsuite.learning.trainer import Logs, Trainer
from ebmsuite.learning.triangle import DivergenceTriangle
from ebmsuite.learning.vae import VariationalAutoencoder
from ebmsuite.learning.variational_cooperative import VariationalCooperative

__all__ = [
    "AlternatingBackpropagation",
    "CoarseToFine",
    "Cooperative",
    "CooperativeRecovery",
    "CycleCooperative",
    "DenoisingScoreMatching",
    "DivergenceTriangle",
    "EnergyMatching",
    "FlowContrast",
    "IncompleteLikelihood",
    "Introspective",
    "JointClassifier",
    "JointVAE",
    "LatentPrior",
    "LatentScoreMatching",
    "Logs",
    "MaximumLikelihood",
    "MultiGrid",
    "NoiseContrast",
    "NormalisedLikelihood",
    "Optimiser",
    "Players",
    "Pyramid",
    "RecoveryLikelihood",
    "SymbolVector",
    "Trainer",
    "VariationalAutoencoder",
    "VariationalCooperative",
]
