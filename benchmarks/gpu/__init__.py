"""What a GPU makes of a bundle: parity, speed beside PyTorch, and whether the host keeps up."""
