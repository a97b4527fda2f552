"""What a graph has to pass before it may serve: the texts, their token ids, the golden texts and parity."""
