"""The metrics of the plugin."""
