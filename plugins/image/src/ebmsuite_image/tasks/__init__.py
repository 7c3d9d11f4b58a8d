"""Uses of a trained model of pictures, one file a task. Each is called with (model, inputs, out, rng)."""
