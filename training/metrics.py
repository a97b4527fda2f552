"""Figures of a classifier; the one to look at is macro-F1, because nearly three reviews in four are positive."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from training.data import LABELS


def figures(labels: NDArray[np.int64], logits: NDArray[np.float32]) -> dict[str, Any]:
    """Accuracy, macro-F1, figures by class, confusion matrix and mean cross-entropy.

    Args:
        labels: Class ids, shape (rows,).
        logits: Shape (rows, classes).

    Returns:
        `confusion[i][j]` counts rows of class i that were answered j, in class-id order.
    """
    answers = logits.argmax(axis=1)
    classes = list(range(len(LABELS)))
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, answers, labels=classes, zero_division=0
    )
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return {
        "rows": len(labels),
        "accuracy": float((answers == labels).mean()),
        "macro_f1": float(np.mean(f1)),
        "loss": float(-log_probabilities[np.arange(len(labels)), labels].mean()),
        "by_class": {
            name: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "rows": int(support[i]),
            }
            for i, name in enumerate(LABELS)
        },
        "confusion": confusion_matrix(labels, answers, labels=classes).tolist(),
    }
