"""The plugin of the suite itself: components whose names have no prefix."""
