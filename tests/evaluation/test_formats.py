"""How figures are written for people."""

from collections.abc import Callable

import pytest

from evaluation import formats


@pytest.mark.parametrize(
    ("write", "value", "written"),
    [
        (formats.figure, 0.8125, "0.812"),
        (formats.percent, 0.8125, "81.2\u202f%"),
        (formats.count, 12345, "12,345"),
        (formats.interval, [0.79, 0.8333], "0.790\u20130.833"),
        (formats.interval, None, ""),
        (formats.duration, 42.4, "42 s"),
        (formats.duration, 89, "89 s"),
        (formats.duration, 90, "2 min"),
        (formats.duration, 3599, "1 h 0 min"),
        (formats.duration, 11100, "3 h 5 min"),
        (formats.date, "2026-11-23T10:00:59+00:00", "2026-11-23 10:00 UTC"),
        (formats.date, "yesterday", "yesterday"),
        (formats.group, "401-", "401 or more"),
        (formats.group, "21-50", "21-50"),
        (formats.group, "odd-", "odd-"),
        (formats.listed, [], ""),
        (formats.listed, ["one"], "one"),
        (formats.listed, ["one", "two", "three"], "one, two and three"),
    ],
)
def test_each_kind_of_figure_has_one_form(write: Callable[[object], str], value: object, written: str) -> None:
    """The same on the page, on the card and in the findings."""
    assert write(value) == written


@pytest.mark.parametrize("write", [formats.figure, formats.percent, formats.count, formats.duration])
@pytest.mark.parametrize("value", [None, "", "x"])
def test_what_is_not_there_is_a_dash(write: Callable[[object], str], value: object) -> None:
    """Templates hand over an empty value where a record lacks one."""
    assert write(value) == "\u2013"


def test_temperatures_are_told_apart_where_they_differ() -> None:
    """By what is written of them: in the third digit they do not."""
    alike, apart = (
        {"neutral": 1.131, "positive": 1.129, "negative": 1.13},
        {"neutral": 1.0, "positive": 2, "negative": 3},
    )
    assert formats.temperatures([alike]) == "1.13"
    assert formats.temperatures([alike, apart]) == (
        "1.13, or 3.00 for negative, 1.00 for neutral and 2.00 for positive"
    )


def test_templates_find_each_by_its_name() -> None:
    """A filter is called as its function."""
    assert all(getattr(formats, name) is written for name, written in formats.FILTERS.items())
    assert {"figure", "percent", "duration", "temperatures"} <= formats.FILTERS.keys()
