"""A chaos run that a real Prometheus watches: what it saw, held to what the harness knows itself."""
