"""The dead-letter breaker, by example and against a model that remembers every record."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from worker.core.breaker import Breaker, BreakerPolicy
from worker.core.records import Partition

PARTITION = Partition("reviews", 0)


def test_the_breaker_counts_by_partition_over_its_window() -> None:
    """It trips above the ratio, only once the window is full, and names the partition."""
    breaker = Breaker(BreakerPolicy(ratio_max=0.5, records_min=4))
    other = Partition("reviews", 1)
    for _ in range(3):
        breaker.observe(PARTITION, model_failed=True)
        breaker.observe(other, model_failed=False)
    assert breaker.tripped() is None

    breaker.observe(PARTITION, model_failed=False)

    assert breaker.tripped() == "reviews/0"


def test_a_bad_deploy_on_many_partitions_trips_as_early_as_on_one() -> None:
    """A hundred partitions with nine failures each would never fill a window of ten."""
    breaker = Breaker(BreakerPolicy(ratio_max=0.5, records_min=10))
    for number in range(9):
        breaker.observe(Partition("reviews", number), model_failed=True)
    assert breaker.tripped() is None
    breaker.observe(Partition("reviews", 9), model_failed=False)
    assert breaker.tripped() == "all partitions together"


PARTITIONS = [Partition("reviews", number) for number in range(3)]


partitions = st.sampled_from(PARTITIONS)


class Breakers(RuleBasedStateMachine):
    """Trips exactly when more than half of the last four failed in the model, of a partition or of all."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(BreakerPolicy(ratio_max=0.5, records_min=4))
        self.model: dict[str, list[bool]] = {}

    @rule(partition=partitions, failed=st.booleans())
    def observe(self, partition: Partition, failed: bool) -> None:
        self.breaker.observe(partition, model_failed=failed)
        for of in (f"{partition.topic}/{partition.number}", "all partitions together"):
            self.model.setdefault(of, []).append(failed)

    @invariant()
    def trips(self) -> None:
        expected = {p for p, seen in self.model.items() if len(seen) >= 4 and sum(seen[-4:]) > 2}
        tripped = self.breaker.tripped()
        assert (tripped in expected) if expected else (tripped is None)


Breakers.TestCase.settings = settings(stateful_step_count=40)
TestBreakers = Breakers.TestCase
