"""Which split of the data a text belongs to: its content decides, so nothing leaks between runs and machines."""

import hashlib
from typing import Literal, get_args

Split = Literal["train", "validation", "calibration", "test"]

SPLITS: tuple[Split, ...] = get_args(Split)
"""By rising priority: of texts that are too much alike, only those in the split of the highest priority stay."""

EVERY_PART = "all"
PARTS = (EVERY_PART, *SPLITS)
"""What command lines take as a part of review files."""

_VALIDATION_BELOW = 13  # of the 256 values of the second byte
_CALIBRATION_BELOW = 29
_ASCII_SIGNS = bytes(code for code in range(128) if not chr(code).isalnum())


def split_of(text: str) -> Split:
    """The split of a text: about 71 % train, 4 % validation, 5 % calibration and 20 % test.

    The first byte of the SHA-256 of the lower-cased text without anything but letters and digits decides whether
    it is for the test (divisible by five); the second byte decides among the others.
    """
    digest = hashlib.sha256(letters_and_digits(text.lower()).encode("utf-8", "surrogatepass")).digest()
    if digest[0] % 5 == 0:
        return "test"
    if digest[1] < _VALIDATION_BELOW:
        return "validation"
    return "calibration" if digest[1] < _CALIBRATION_BELOW else "train"


def letters_and_digits(text: str) -> str:
    """The text without anything else. Nearly all texts are ASCII, for which this is ten times as fast."""
    if text.isascii():
        return text.encode().translate(None, _ASCII_SIGNS).decode()
    return "".join(filter(str.isalnum, text))
