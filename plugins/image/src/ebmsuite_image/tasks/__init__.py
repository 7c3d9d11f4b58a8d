"""Uses of a trained model of pictures, one file per task. Each is called with (model, inputs, out, rng)."""
