"""A plugin for tests: walkers among others, whose condition is a tree with two masks of different shapes.

Recipes: ``walk/mle`` (a buffer of chains), ``walk/vae``, ``walk/latent`` and ``walk/cooperative`` with the nets of the
suite, and ``walk/straight`` with an energy of this plugin that takes the condition and the codec.
"""
