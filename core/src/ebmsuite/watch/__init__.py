"""The suite's own watchers: plugins on the run-time hooks, as anyone's are."""
