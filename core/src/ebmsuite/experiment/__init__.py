"""Experiments: recipes, what is built from them, runs and their checkpoints, the loop of learning."""
