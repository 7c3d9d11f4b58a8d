"""Uses of a trained model for all domains: building blocks of tasks, renderers and metrics for events of any rank.

A plugin's task reads the user's files, calls these functions, and writes the result.
"""
