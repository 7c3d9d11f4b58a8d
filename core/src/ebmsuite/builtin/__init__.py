"""The core plugin: the components of the suite, whose names have no prefix."""
