"""Evaluation: comparison of scores with published numbers, and distances between sets of features."""
