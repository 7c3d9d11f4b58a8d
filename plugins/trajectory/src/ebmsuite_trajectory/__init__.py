"""Trajectories: forecasting of pedestrians with latent energies, and inverse optimal control."""
