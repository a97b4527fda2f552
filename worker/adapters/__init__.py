"""One outside thing a file: Kafka, ONNX Runtime, tokenizers, Prometheus, HTTP, the file system."""
