"""Experiments: recipes, the objects built from them, runs and their checkpoints, and the training loop."""
