"""Where the programs are that `make foreign` installs."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def foreign() -> Path:
    """The folder of the programs. Of the session, so that nothing is trained or started where the tests skip."""
    if "FOREIGN" not in os.environ:
        pytest.skip("these run by `make foreign`, which installs what they need")
    return Path(os.environ["FOREIGN"])
