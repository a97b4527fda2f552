"""Reads review events from Kafka, scores them with BERT on ONNX Runtime, publishes enriched events."""

from contract import telemetry

telemetry.send_none()
