"""Uses of a trained model that no domain has for itself: parts of tasks, renderers and metrics, for events of any rank.

A plugin's task reads the user's files, calls these functions, and writes the result.
"""
