"""Choosing the golden texts that a worker checks before it joins its group."""

from collections.abc import Sequence
from itertools import chain, zip_longest

from contract.fields import Fields, gives_stars_away
from contract.manifest import Golden
from export.gates.parity import Probabilities
from export.gates.texts import HOSTILE

GOLDENS = 64
_STAR_TITLES = 4  # a worker that does not know that they are masked must not serve


def choose_goldens(
    texts: Sequence[Fields], rows: Sequence[Sequence[int]], reference: Probabilities, count: int = GOLDENS
) -> list[Golden]:
    """Hostile texts, titles that count stars, then as many of each label as there are, spread over all lengths.

    Args:
        texts: What may be written into a bundle.
        rows: Their token ids.
        reference: PyTorch's uncalibrated probabilities of shape (texts, classes).
        count: How many to choose.
    """
    hostile = [index for index, fields in enumerate(texts) if fields.title is None and fields.text in HOSTILE]
    starry = [index for index, fields in enumerate(texts) if fields.title and gives_stars_away(fields.title)]
    hostile += starry[:_STAR_TITLES]
    others = sorted(set(range(len(texts))) - set(hostile), key=lambda index: (len(rows[index]), index))
    labels = reference.argmax(axis=1)
    by_label = [[index for index in others if labels[index] == label] for label in range(reference.shape[1])]
    wanted = count - len(hostile)
    # Spread first, then one of each label in turn: a rare label gets all it has, the rest share what is left.
    turns = zip_longest(*(_spread(indices) for indices in by_label))
    chosen = [index for index in chain.from_iterable(turns) if index is not None][:wanted]
    return [_golden(texts[index], rows[index], reference[index].tolist()) for index in (*hostile, *chosen)]


def _spread(indices: Sequence[int]) -> list[int]:
    """The same indices in an order of which every beginning is spread over the whole: ends first, then middles."""
    if len(indices) <= 2:  # noqa: PLR2004 - the two ends
        return list(indices)
    spread, spans = [indices[0], indices[-1]], [(0, len(indices) - 1)]
    for low, high in spans:  # grows while it is walked: breadth first
        middle = (low + high) // 2
        if low < middle:
            spread.append(indices[middle])
            spans.extend([(low, middle), (middle, high)])
    return spread


def _golden(fields: Fields, ids: Sequence[int], probabilities: Sequence[float]) -> Golden:
    return Golden(text=fields.text, title=fields.title, ids=list(ids), probabilities=list(probabilities))
