"""The toy domain: exactly known densities, so that learned models can be compared with the truth.

This is an ordinary plugin that ships in the suite's wheel; no other module of the suite imports it.
"""
