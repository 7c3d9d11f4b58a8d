"""Sampling: kernels, chains and phases.

A *kernel* moves a batch of points (`init`, `step`); *chains* say where they start and what is kept; a *phase*
is one way of drawing: energy, kernel, chains and number of steps.
"""

from ebmsuite.sampling.chains import Augmentation, Buffer, Chains, Data, Memory, Noise, Proposal, Start
from ebmsuite.sampling.kernel import Sampler, Target, run, target_of
from ebmsuite.sampling.langevin import Langevin
from ebmsuite.sampling.phase import Draw, Phase

__all__ = [
    "Augmentation",
    "Buffer",
    "Chains",
    "Data",
    "Draw",
    "Langevin",
    "Memory",
    "Noise",
    "Phase",
    "Proposal",
    "Sampler",
    "Start",
    "Target",
    "run",
    "target_of",
]
