"""Figures of a classifier; the one to look at is macro-F1, because nearly three reviews in four are positive."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, precision_recall_fscore_support

from training.data import LABELS

_DIGITS = 6  # what lies beyond is the order of additions


def figures(labels: NDArray[np.int64], logits: NDArray[np.float32]) -> dict[str, Any]:
    """Accuracy, macro-F1, figures by class, confusion matrix and mean cross-entropy in nats.

    Args:
        labels: Class ids, shape (rows,).
        logits: Shape (rows, classes).

    Returns:
        `confusion[i][j]` counts rows of class i that were answered j, in class-id order.
    """
    answers = logits.argmax(axis=1)
    classes = list(range(len(LABELS)))
    by_class = precision_recall_fscore_support(labels, answers, labels=classes, zero_division=0)
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    return {
        "rows": len(labels),
        "accuracy": round(float(accuracy_score(labels, answers)), _DIGITS),
        "macro_f1": round(float(by_class[2].mean()), _DIGITS),
        "loss": round(float(log_loss(labels, probabilities, labels=classes)), _DIGITS),
        "by_class": {
            name: {
                "precision": round(float(precision), _DIGITS),
                "recall": round(float(recall), _DIGITS),
                "f1": round(float(f1), _DIGITS),
                "rows": int(rows),
            }
            for name, precision, recall, f1, rows in zip(LABELS, *by_class, strict=True)
        },
        "confusion": confusion_matrix(labels, answers, labels=classes).tolist(),
    }
