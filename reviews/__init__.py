"""Review files become rows: reading, ingestion, the corpus, its splits, near duplicates and the cache."""
