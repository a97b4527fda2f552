"""What an extra needs, looked at together with the settings; without it nothing of it is ever imported."""

from collections.abc import Mapping
from importlib import metadata

_EXPORTER = "opentelemetry-exporter-otlp-proto-http"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")  # the first one counts
_PROTOCOL = "http/protobuf"


def tracing_problems(environment: Mapping[str, str]) -> list[str]:
    """What keeps traces from being sent: the package is missing, or the environment asks for another protocol."""
    problems = []
    try:
        metadata.version(_EXPORTER)
    except metadata.PackageNotFoundError:
        problems.append(f"WORKER_TRACING needs the extra `tracing`: pip install {_EXPORTER}, or set it to false")
    name = next((name for name in _PROTOCOLS if environment.get(name)), None)
    if name and environment[name] != _PROTOCOL:
        problems.append(
            f"{name} is {environment[name]}, and the worker sends traces by {_PROTOCOL} alone: set it to that, "
            "and OTEL_EXPORTER_OTLP_ENDPOINT to the receiver's HTTP port (4318 as a rule)"
        )
    return problems
