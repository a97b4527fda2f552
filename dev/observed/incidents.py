"""What is done to the workers on an observed run, what that makes fire, and what it can't show, and why."""

from collections.abc import Mapping

from dev.chaos.schedule import Fault, Kind

FACTOR = 20
"""What the times of the alert rules are divided by: their quarter of an hour is 45 s here."""
THRESHOLDS_S = {"SentimentWorkerNoProgress": 180, "SentimentWorkerLatency": 60}
"""The seconds that expressions compare with, divided too."""

ENVIRONMENT: dict[str, object] = {
    "WORKER_BATCH_ROWS_MAX": 4,  # so that a slow model is slower than the load
    "WORKER_WINDOW_RECORDS_MAX": 16,  # and still settles every few seconds
    "WORKER_HELD_RECORDS_MAX": 64,
}
PER_SECOND = 40.0


def incidents() -> list[Fault]:
    """The faults, one kind of trouble after the other, each long enough for its alert."""
    newest = -1  # of the workers: the one that was restarted last
    return [
        _fault(6, Kind.WORKER_STOP),
        _fault(10, Kind.SCALE_UP),
        *(_fault(at_s, Kind.HOSTILE) for at_s in range(14, 60, 2)),
        *(_fault(at_s, Kind.WORKER_PAUSE, at_s, 8.0) for at_s in (16, 29, 42)),
        _fault(64, Kind.SLOW_MODEL, lasts_s=100),
        _fault(168, Kind.QUOTA, lasts_s=45 / 5),  # the fault takes five times as long as it is told to
        *(_fault(at_s, Kind.WORKER_KILL, newest) for at_s in (216, 227, 238, 249)),
        _fault(262, Kind.FATAL_TEXT),
    ]


def _fault(at_s: float, kind: Kind, target: int = 0, lasts_s: float = 0.0) -> Fault:
    return Fault(at_s, kind, target, lasts_s, alone=False)


MUST_FIRE: Mapping[str, str] = {
    "SentimentWorkerDeadLetters": "hostile records, for 46 s",
    "SentimentWorkerModelFailures": "a text that the model fails on is among them",
    "SentimentWorkerPartitionsLost": "three workers stopped beyond their session",
    "SentimentWorkerLatency": "workers stopped for 8 s, then a model slower than the load, for 100 s",
    "SentimentWorkerThrottled": "a quota on what workers write, for 45 s",
    "SentimentWorkerRestarts": "the same worker killed four times in a minute",
    "SentimentWorkerDeliveryCounts": "a text on which every worker dies",
}
MAY_FIRE: Mapping[str, str] = {
    # A worker knows the end of a partition from its last fetch, and fetches ahead.
    "SentimentWorkerLagGrows": "within minutes, the lag that workers know of grows in steps, or not at all",
}
MUST_NOT_FIRE: Mapping[str, str] = {
    "SentimentWorkerNoProgress": "records are settled all the time, by each worker that runs",
    "SentimentWorkerStalled": "every partition moves",
    "SentimentWorkerNotServing": "every worker is in its group within seconds",
    "SentimentWorkerWithoutPlace": "all topics have as many partitions",
    "SentimentWorkerTransactionsAborted": "there are no transactions where delivery is at least once",
    "SentimentWorkerAbstains": "it compares with the day before",
    "SentimentWorkerAbsent": "there is always a worker",
}

STILL: Mapping[str, str] = {
    "sentiment_worker_stalled_partitions": "every partition moves",
    "sentiment_worker_partitions_without_place": "all topics have as many partitions",
    "sentiment_worker_isolated_partitions": "a few records are tried one by one between two scrapes",
    "sentiment_worker_transactions_aborted_total": "there are no transactions where delivery is at least once",
    "sentiment_worker_abstained_total": "the bundle has no threshold of confidence",
    "sentiment_worker_model_info": "there is one model, and its number is 1",
    "process_open_fds": "a worker has as many connections all the time",
    "process_max_fds": "nobody changes the limit",
    "python_info": "there is one Python, and its number is 1",
    "python_gc_objects_uncollectable_total": "nothing of Python's is uncollectable",
}
"""Metrics that appear, and may have one value all the time, and why."""
