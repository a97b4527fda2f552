"""The int8 graph: activation ranges, the scales chosen by them, and the quantised graph."""
