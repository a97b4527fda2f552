"""What is deployed with the worker."""
