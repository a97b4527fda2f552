"""Why no broker lets us in: the client keeps that to its log, and ends with a timeout that names none of it."""

import logging
from types import TracebackType
from typing import Any, Self

from kafka import KafkaAdminClient
from kafka.errors import (
    IllegalSaslStateError,
    InvalidSessionTimeoutError,
    InvalidTransactionTimeoutError,
    KafkaError,
    KafkaTimeoutError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.net.connection import KafkaConnection

from worker.errors import KafkaUnfitError
from worker.sasl import BEARER, TOKEN_FILE

_REFUSED = (SaslAuthenticationFailedError, UnsupportedSaslMechanismError, IllegalSaslStateError)
_ADVICE = {  # by what the cause says, the first that fits
    "CERTIFICATE_VERIFY_FAILED": "check KAFKA_SSL_CAFILE (the brokers' authority) and KAFKA_SSL_CHECK_HOSTNAME",
    "WRONG_VERSION_NUMBER": "the port speaks no TLS; check KAFKA_SECURITY_PROTOCOL",
    "ALERT": "check KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE: the brokers refuse our certificate, or want one",
    TOKEN_FILE: "look at what renews this file",
    "DNS": "check the host in KAFKA_BOOTSTRAP_SERVERS",
    "ECONNREFUSED": "check host and port in KAFKA_BOOTSTRAP_SERVERS",
}
_BY_NAME = "KAFKA_SASL_USERNAME and the password"
_BY_TOKEN = f"and the token in {TOKEN_FILE}: its end, issuer, audience and signature"
_ELSE = "check KAFKA_BOOTSTRAP_SERVERS and KAFKA_SECURITY_PROTOCOL"

_LIMITS: dict[type[KafkaError], str] = {
    InvalidSessionTimeoutError: "WORKER_SESSION_TIMEOUT_MS has to lie between the brokers' "
    "group.min.session.timeout.ms and group.max.session.timeout.ms",
    InvalidTransactionTimeoutError: "WORKER_TRANSACTION_TIMEOUT_MS is above the brokers' "
    "transaction.max.timeout.ms",
}


def by_setting(error: KafkaError) -> str:
    """What the brokers refuse, with the setting of ours that exceeds a limit of theirs."""
    # Where transactions begin, the client wraps what the broker says in a bare KafkaError.
    limit = next((told for kind, told in _LIMITS.items() if kind.__name__ in repr(error)), None)
    return f"{limit}: {error!r}" if limit else repr(error)


def connect_admin(options: dict[str, Any], timeout_ms: float) -> Any:
    """A client for the cluster's administration.

    Args:
        options: Of the connection.
        timeout_ms: How long to try.

    Raises:
        KafkaUnfitError: If the brokers refuse us: trying again would only lock the account.
        KafkaTimeoutError: If none answers; the message has the last cause and what to check.
    """
    with _Causes() as causes:
        try:
            return KafkaAdminClient(**options, bootstrap_timeout_ms=timeout_ms)
        except KafkaTimeoutError as error:
            servers = ",".join(options["bootstrap_servers"])
            if isinstance(causes.last, _REFUSED):
                secret = _BY_TOKEN if options["sasl_mechanism"] == BEARER else _BY_NAME
                raise KafkaUnfitError(
                    f"authentication failed at {servers}: {causes.last!r}. Check KAFKA_SASL_MECHANISM, {secret}"
                ) from error
            cause = str(causes.last or error)
            advice = next((advice for sign, advice in _ADVICE.items() if sign in cause), _ELSE)
            raise KafkaTimeoutError(f"{cause}; {advice}") from error


class _Causes(logging.Handler):
    """The last error that a connection ended with, heard from the client's log while this is entered."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last: BaseException | None = None
        self._logger = logging.getLogger("kafka.net")
        self._close = KafkaConnection.close

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what the client could not connect for."""
        for argument in record.args if isinstance(record.args, tuple) else ():
            self._keep(argument)

    def _keep(self, error: object) -> None:
        final = isinstance(self.last, _REFUSED) or "Unable to bootstrap" in str(error)  # which says nothing
        if isinstance(error, BaseException) and not final:
            self.last = error

    def __enter__(self) -> Self:
        self._logger.addHandler(self)

        # A broker hangs up right after its refusal. kafka-python 3.0 sees that first, and drops the refusal.
        def close(connection: Any, error: Exception | None = None) -> None:
            self._keep(error)
            self._close(connection, error)

        KafkaConnection.close = close
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        KafkaConnection.close = self._close
        self._logger.removeHandler(self)
