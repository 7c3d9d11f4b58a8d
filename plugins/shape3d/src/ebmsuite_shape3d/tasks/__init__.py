"""The tasks of the plugin."""
