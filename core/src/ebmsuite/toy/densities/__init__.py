"""Densities that are normalised and drawn from exactly, mostly in the plane."""

from ebmsuite.toy.densities.checkerboard import Checkerboard
from ebmsuite.toy.densities.embedded import Embedded
from ebmsuite.toy.densities.hard import Banana, Funnel, IllConditioned
from ebmsuite.toy.densities.mixture import Mixture, constellation, eight_gaussians, two_moons
from ebmsuite.toy.densities.moved import Moved
from ebmsuite.toy.densities.polar import Pinwheel, Rings
from ebmsuite.toy.densities.signals import Signals

__all__ = [
    "Banana",
    "Checkerboard",
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
