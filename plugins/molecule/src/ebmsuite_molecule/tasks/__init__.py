"""Tasks for a trained model of molecules, one file per task. Each task is called with (model, inputs, out, rng)."""
