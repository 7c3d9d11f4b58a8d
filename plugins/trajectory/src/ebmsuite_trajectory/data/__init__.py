"""Data sets of tracks: ETH and UCY, the user's own files, and the synthetic world of lanes."""
