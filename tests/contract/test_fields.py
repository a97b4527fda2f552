"""What counts as a text."""

from hypothesis import given
from hypothesis import strategies as st

from contract.fields import is_blank


@given(st.text())
def test_blank_means_nothing_to_read(text: str) -> None:
    """A text with any letter or digit is not blank; white space alone is."""
    if any(char.isalnum() for char in text):
        assert not is_blank(text)
    if not text.strip():
        assert is_blank(text)
