"""Sentences: data sets, codecs, metrics, tasks and pictures."""
