"""What a start tries again, and how that ends."""

import pytest
from kafka.errors import KafkaError, NodeNotReadyError, TopicAuthorizationFailedError

from worker.adapters.patience import Patience
from worker.errors import KafkaUnfitError
from worker.settings import Settings


def patience(timeout_ms: int = 60_000) -> Patience:
    return Patience(Settings.model_validate({"bundle": "none", "start_timeout_ms": timeout_ms}))


def test_a_broker_that_comes_back_is_waited_for() -> None:
    """The first answer counts, however many attempts a dead broker made fail."""
    answers = iter([NodeNotReadyError("1"), NodeNotReadyError("1"), None])

    def attempt() -> str:
        if error := next(answers):
            raise error
        return "answer"

    assert patience().keep_trying("it does not answer", attempt) == "answer"


def test_the_end_names_what_it_waited_for_and_the_setting() -> None:
    """Not for ever: the message says how long it was, and what makes it longer."""

    def attempt() -> None:
        raise NodeNotReadyError("1")

    with pytest.raises(KafkaUnfitError, match=r"no Kafka here.*WORKER_START_TIMEOUT_MS.*NodeNotReady"):
        patience(0).keep_trying("no Kafka here", attempt)


def test_what_does_not_pass_is_not_waited_for() -> None:
    """A right that is missing is told at once."""

    def attempt() -> None:
        raise TopicAuthorizationFailedError("t")

    with pytest.raises(TopicAuthorizationFailedError):
        patience().keep_trying("it does not answer", attempt)


def test_an_error_that_the_client_has_wrapped_is_known() -> None:
    """A transactional producer says no more than a text of what the broker answered, or did not."""
    late = KafkaError(
        "Could not execute transactional request for unknown reasons: [Error 7] RequestTimedOutError: no"
    )
    limit = KafkaError("Unexpected error in InitProducerIdResponse: [Error 50] InvalidTransactionTimeoutError")
    answers: list[Exception | None] = [late, None]

    def attempt() -> str:
        if error := answers.pop(0):
            raise error
        return "begun"

    assert patience().keep_trying("it does not begin", attempt) == "begun"
    answers.append(limit)
    with pytest.raises(KafkaError, match="InvalidTransactionTimeoutError"):
        patience().keep_trying("it does not begin", attempt)
