"""Sampling: kernels, chains and phases.

A *kernel* moves a batch of points (`init`, `step`). *Chains* define where the points start and what is kept of their
ends. A *phase* is one way of drawing samples: energy, kernel, chains and number of steps.
"""

from ebmsuite.sampling.annealed import AnnealedLangevin
from ebmsuite.sampling.chains import Augmentation, Bank, Buffer, Chains, Data, Memory, Noise, Proposal, Start, Visible
from ebmsuite.sampling.descent import Descent
from ebmsuite.sampling.fast import FastPath
from ebmsuite.sampling.gibbs import GibbsWithGradients
from ebmsuite.sampling.hmc import HMC
from ebmsuite.sampling.kernel import Held, Sampler, Target, run, target_of, temperature, tempered
from ebmsuite.sampling.langevin import Langevin
from ebmsuite.sampling.mala import MALA
from ebmsuite.sampling.nuts import NUTS
from ebmsuite.sampling.phase import Draw, Phase
from ebmsuite.sampling.tempering import ParallelTempering
from ebmsuite.sampling.warm_up import warm_up

__all__ = [
    "HMC",
    "MALA",
    "NUTS",
    "AnnealedLangevin",
    "Augmentation",
    "Bank",
    "Buffer",
    "Chains",
    "Data",
    "Descent",
    "Draw",
    "FastPath",
    "GibbsWithGradients",
    "Held",
    "Langevin",
    "Memory",
    "Noise",
    "ParallelTempering",
    "Phase",
    "Proposal",
    "Sampler",
    "Start",
    "Target",
    "Visible",
    "run",
    "target_of",
    "temperature",
    "tempered",
    "warm_up",
]
