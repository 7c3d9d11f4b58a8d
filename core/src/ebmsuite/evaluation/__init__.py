"""Evaluation: suites of cases beside published numbers, and distances between sets of features."""
