"""What checks found, for people, for programs and as an exit code."""

from worker.preflight.checks import Check, CheckFailedError, State, document, failures, table

_CHECKS = [
    Check("bundle", "model", State.OK, "tiny 1"),
    Check("in", "replicas", State.WARNING, "1 replica", "give it 3"),
    Check("group", "positions", State.FAILED, "expired", "raise the retention\nor go on", 7),
    Check("out", "exists", State.FAILED, "there is no topic out", "create it"),
    Check("out", "settings", State.UNKNOWN, "may not be read"),
]


def test_a_line_each_with_what_to_do_below() -> None:
    """What is fine needs no advice."""
    assert table(_CHECKS).splitlines() == [
        "✓ bundle  model      tiny 1",
        "! in      replicas   1 replica",
        "    → give it 3",
        "✗ group   positions  expired",
        "    → raise the retention",
        "    → or go on",
        "✗ out     exists     there is no topic out",
        "    → create it",
        "? out     settings   may not be read",
    ]


def test_the_first_failure_decides_how_it_ends() -> None:
    """With the code with which `run` would; warnings count only where that is asked for, and after failures."""
    assert failures(_CHECKS[:2], strict=False) == []
    assert failures(_CHECKS[:2], strict=True) == [_CHECKS[1]]
    assert failures(_CHECKS, strict=True) == [_CHECKS[2], _CHECKS[3], _CHECKS[1]]
    error = CheckFailedError(failures(_CHECKS, strict=False))
    assert (error.exit_code, str(error)) == (7, "group, positions: expired; out, exists: there is no topic out")


def test_the_document_says_the_same() -> None:
    """Every check with its state, and how the command ends."""
    good, bad = document(_CHECKS[:2], strict=False), document(_CHECKS, strict=False)
    assert (good["ok"], good["exit_code"], bad["ok"], bad["exit_code"]) == (True, 0, False, 7)
    assert bad["checks"][1] == {
        "subject": "in", "check": "replicas", "state": "warning", "found": "1 replica", "advice": "give it 3"
    }  # fmt: skip
