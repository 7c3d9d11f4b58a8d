"""Tasks of a trained model of clips."""
