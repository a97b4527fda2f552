"""Fine-tunes BERT on product reviews: star ratings become three classes."""
