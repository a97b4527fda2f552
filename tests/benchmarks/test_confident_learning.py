"""What confident learning holds for wrong."""

import numpy as np

from benchmarks.confident_learning import in_doubt


def test_a_label_is_in_doubt_where_another_class_is_surer_than_its_own_reviews_are() -> None:
    """Neither a low probability of its own class nor a higher one of another is enough."""
    labels = np.array([0, 0, 1, 1, 0, 0])
    predicted = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.25, 0.75], [0.05, 0.95]])
    # The reviews of class 1 have 0.8 in the mean: 0.75 is no reason to doubt the fifth, and 0.95 is.
    assert in_doubt(labels, predicted).tolist() == [False] * 5 + [True]
