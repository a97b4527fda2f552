"""Where what is fetched or started for development is kept."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """`.cache/` of the repository, or the folder that REVIEW_SENTIMENT_CACHE names; never committed."""
    folder = os.environ.get("REVIEW_SENTIMENT_CACHE")
    return Path(folder) if folder else Path(__file__).parent.parent / ".cache"
