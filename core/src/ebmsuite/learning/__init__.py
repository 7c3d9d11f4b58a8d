"""Learning: players (the nets and their optimisers) and trainers (how they are updated)."""

from ebmsuite.learning.latents import Inferred, infer
from ebmsuite.learning.players import Optimiser, Players
from ebmsuite.learning.trainer import WATCHED_LATENT, Draws, Logs, Role, Spaces, Trainer

__all__ = [
    "WATCHED_LATENT",
    "Draws",
    "Inferred",
    "Logs",
    "Optimiser",
    "Players",
    "Role",
    "Spaces",
    "Trainer",
    "infer",
]
