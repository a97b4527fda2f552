"""What people read of a run: one HTML page, the model card, and the command that repeats the run."""
