"""What the programs agree on: labels, text fields, encoding, scoring, bundle format, events and base errors."""

__version__ = "0.3.0"
