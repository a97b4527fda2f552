"""Where what is costly to make again is kept."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """The folder that REVIEW_SENTIMENT_CACHE names, or `review-sentiment` in the user's cache."""
    if named := os.environ.get("REVIEW_SENTIMENT_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "review-sentiment"
