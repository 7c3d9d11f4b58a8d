"""Data sets of film clips."""
