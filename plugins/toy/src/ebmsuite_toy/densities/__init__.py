"""Normalised densities with exact sampling, mostly in the plane."""

from ebmsuite_toy.densities.checkerboard import Checkerboard
from ebmsuite_toy.densities.embedded import Embedded
from ebmsuite_toy.densities.hard import Banana, Correlated, Funnel, IllConditioned
from ebmsuite_toy.densities.mixture import Mixture, constellation, eight_gaussians, two_moons
from ebmsuite_toy.densities.moved import Moved
from ebmsuite_toy.densities.polar import Pinwheel, Rings
from ebmsuite_toy.densities.signals import Signals

__all__ = [
    "Banana",
    "Checkerboard",
    "Correlated",
    "Embedded",
    "Funnel",
    "IllConditioned",
    "Mixture",
    "Moved",
    "Pinwheel",
    "Rings",
    "Signals",
    "constellation",
    "eight_gaussians",
    "two_moons",
]
