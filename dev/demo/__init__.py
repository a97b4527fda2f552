"""The whole path on real parts: fine-tune, export, serve from Kafka, account for every record."""
