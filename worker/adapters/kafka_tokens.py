"""Bearer tokens for kafka-python: the token is whatever the file holds when a connection authenticates."""

from pathlib import Path

from kafka.errors import KafkaConnectionError
from kafka.net.sasl.oauth import AbstractTokenProvider

from worker.sasl import token_in


class TokenFile(AbstractTokenProvider):  # type: ignore[misc]
    """A token in a file that somebody else renews: Kubernetes (a projected volume), or a sidecar."""

    def __init__(self, file: Path) -> None:
        """Name the file; it is read by `token` alone."""
        super().__init__()
        self._file = file

    def token(self) -> str:
        """The token of now; the client asks when it connects and when it authenticates again.

        Raises:
            KafkaConnectionError: If the file holds none at the moment: the client connects again.
        """
        try:
            return token_in(self._file)
        except ValueError as error:
            raise KafkaConnectionError(str(error)) from error
