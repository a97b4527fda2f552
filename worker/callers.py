"""Several calls at a time: on a CPU a forward pass on each core does more than one on all of them."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Callers:
    """So many threads that call; with one, the caller's own."""

    def __init__(self, count: int = 1) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="caller") if count > 1 else None

    def map(self, function: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
        """The answers in the order of the items; the first call that fails, in that order, raises.

        Several threads begin at once, and with the items of one `map` when those of the one before are all begun;
        the caller's own begins when it is asked for an answer. The function must be safe to call from several.
        """
        return self._pool.map(function, items) if self._pool else map(function, items)


ALONE = Callers()
"""One call at a time, where it is asked for."""
