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
    for _ in range(10):
        breaker.observe(other, model_failed=False)
    for failed in (True, True, True):
        breaker.observe(PARTITION, model_failed=failed)
    assert breaker.tripped() is None

    breaker.observe(PARTITION, model_failed=False)

    assert breaker.tripped() == PARTITION


PARTITIONS = [Partition("reviews", number) for number in range(3)]


partitions = st.sampled_from(PARTITIONS)


class Breakers(RuleBasedStateMachine):
    """Trips exactly when more than half of a partition's last four failed in the model."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(BreakerPolicy(ratio_max=0.5, records_min=4))
        self.model: dict[Partition, list[bool]] = {partition: [] for partition in PARTITIONS}

    @rule(partition=partitions, failed=st.booleans())
    def observe(self, partition: Partition, failed: bool) -> None:
        self.breaker.observe(partition, model_failed=failed)
        self.model[partition].append(failed)

    @invariant()
    def trips(self) -> None:
        expected = {p for p, seen in self.model.items() if len(seen) >= 4 and sum(seen[-4:]) > 2}
        tripped = self.breaker.tripped()
        assert (tripped in expected) if expected else (tripped is None)


Breakers.TestCase.settings = settings(stateful_step_count=40)
TestBreakers = Breakers.TestCase
