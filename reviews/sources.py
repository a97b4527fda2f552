"""What a data sheet says of each source of reviews: a set, a shop, a crawl."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reviews.review import Reviews


def by_source(reviews: Reviews) -> dict[str, dict[str, Any]]:
    """Of each source: its reviews, their stars, their mean words, and how many say what others say.

    `copies` are reviews whose text stands in the same source before; `near_elsewhere` those of which a copy or a
    near duplicate stands in another source.
    """
    ids, names = reviews.sources
    near = _near_elsewhere(ids, reviews.groups)
    sheet = {}
    for place, name in enumerate(names):
        own = ids == place
        stars, counts = np.unique(reviews.stars[own & ~np.isnan(reviews.stars)], return_counts=True)
        rows = int(own.sum())
        sheet[name] = {
            "reviews": rows,
            "stars": {f"{star:g}": count for star, count in zip(stars.tolist(), counts.tolist(), strict=True)},
            "words_mean": round(float(reviews.words[own].mean()), 1),
            "copies": rows - len(np.unique(reviews.keys[own])),
            "near_elsewhere": int(near[own].sum()),
        }
    return sheet


def _near_elsewhere(ids: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each review's group has reviews of more than one source, shape (reviews,)."""
    size = int(groups.max(initial=0)) + 1
    lowest, highest = np.full(size, np.iinfo(np.int64).max), np.full(size, -1)
    np.minimum.at(lowest, groups, ids)
    np.maximum.at(highest, groups, ids)
    return np.asarray(lowest[groups] != highest[groups])
