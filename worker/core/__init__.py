"""Pure logic: no input or output, no clock of its own, no threads."""
