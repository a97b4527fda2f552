"""The console script `review-sentiment`: one name for the three programs."""
