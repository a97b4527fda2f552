"""What is spliced in can be taken out again."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from worker.core.splicing import splice

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=20,
)


@given(
    members=st.dictionaries(st.text(), json_values, max_size=5).filter(lambda d: "sentiment" not in d),
    ascii_only=st.booleans(),
    spaces=st.tuples(st.sampled_from(["", " ", "\n\t "]), st.sampled_from(["", " ", "\r\n"])),
)
def test_deleting_the_spliced_span_restores_the_input(
    members: dict[str, Any], ascii_only: bool, spaces: tuple[str, str]
) -> None:
    """For any object: the input's bytes stay, one member comes, and the result parses to just that."""
    text = json.dumps({**members, "text": "x"}, ensure_ascii=ascii_only, indent=None if ascii_only else 2)
    try:
        value = (spaces[0] + text + spaces[1]).encode()
    except UnicodeEncodeError:  # a lone surrogate has no bytes
        return
    member = b'{"label":"positive"}'

    spliced = splice(value, "sentiment", member)

    inserted = b',"sentiment":' + member
    start = spliced.rindex(inserted)
    assert value == spliced[:start] + spliced[start + len(inserted) :]
    assert json.loads(spliced) == {**json.loads(value), "sentiment": {"label": "positive"}}
