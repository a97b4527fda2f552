"""What the programs agree on: labels, text fields, encoding, scoring, bundle format, events and base errors."""
