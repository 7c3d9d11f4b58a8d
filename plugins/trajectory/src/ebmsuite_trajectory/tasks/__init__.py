"""Tasks: what to do with a trained model and your own tracks."""
