"""Reads review events from Kafka, scores them with BERT on ONNX Runtime, publishes enriched events."""

__version__ = "0.1.0"
