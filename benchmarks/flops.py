"""What a BERT costs in operations, by the shapes of its matrix products."""

from collections.abc import Sequence
from typing import Any


def flops(lengths: Sequence[int], config: dict[str, Any]) -> float:
    """Operations of the layers' matrix products for rows of these lengths, padding not counted.

    A multiplication and its addition are two. Embeddings, normalisations and the head are left out.

    Args:
        lengths: Tokens of each row.
        config: The model's `config.json`.
    """
    hidden, inner, layers = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
    tokens, squares = sum(lengths), sum(length**2 for length in lengths)
    return float(layers * (2 * tokens * (4 * hidden**2 + 2 * hidden * inner) + 4 * hidden * squares))
