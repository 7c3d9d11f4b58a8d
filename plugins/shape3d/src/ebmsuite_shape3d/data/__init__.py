"""The data sets of the plugin."""
