"""The callbacks of the suite. They use the same run-time hooks as the callbacks of plugins."""
