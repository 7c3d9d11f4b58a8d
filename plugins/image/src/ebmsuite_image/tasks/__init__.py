"""Tasks for a trained model of pictures, one module per task. Each is called with (model, inputs, out, rng)."""
