"""What the client says of a refusal, in terms of our settings; the causes themselves are tried on a broker."""

import pytest
from kafka.errors import (
    InvalidSessionTimeoutError,
    InvalidTransactionTimeoutError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from worker.adapters.kafka_causes import by_setting


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (InvalidSessionTimeoutError(), "WORKER_SESSION_TIMEOUT_MS has to lie between"),
        (InvalidTransactionTimeoutError(), "WORKER_TRANSACTION_TIMEOUT_MS is above"),
        (TopicAuthorizationFailedError("t"), "TopicAuthorizationFailedError('t')"),
    ],
)
def test_a_limit_is_told_by_our_setting(error: KafkaError, told: str) -> None:
    """Any other refusal speaks for itself."""
    assert by_setting(error).startswith(told)
