"""Callbacks of the suite: plugins on the run-time hooks, as any other plugin may have."""
