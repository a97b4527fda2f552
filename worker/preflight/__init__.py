"""What `python -m worker check` looks at: all that a run needs, tried without joining or writing anything."""
