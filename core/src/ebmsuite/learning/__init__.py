"""Learning: players (the nets and their optimisers) and trainers (how they are updated)."""

from ebmsuite.learning.mle import MaximumLikelihood
from ebmsuite.learning.players import Optimiser, Players
from ebmsuite.learning.trainer import Logs, Trainer

__all__ = ["Logs", "MaximumLikelihood", "Optimiser", "Players", "Trainer"]
