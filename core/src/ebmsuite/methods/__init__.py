"""Methods of learning: one file per trainer, named after its component."""
