"""Contract, bundle, checkpoint, report and metrics in the hands of programs that are not ours: `make foreign`."""
