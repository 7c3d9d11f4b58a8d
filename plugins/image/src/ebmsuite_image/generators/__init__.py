"""Generators of latent-space models of pictures, and the matching encoders."""
