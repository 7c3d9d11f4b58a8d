"""Learning: players (the nets and their optimisers) and trainers (how they are updated)."""

from ebmsuite.learning.players import Optimiser, Players
from ebmsuite.learning.trainer import Logs, Trainer

__all__ = ["Logs", "Optimiser", "Players", "Trainer"]
