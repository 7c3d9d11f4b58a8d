"""Uses of a trained model of molecules, one file a task. Each is called with (model, inputs, out, rng)."""
