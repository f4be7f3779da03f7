"""Exit codes of errors.  Authority: the table in DESIGN.md."""

import pytest

from pellucid import errors


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("PellucidError", 1),
        ("UsageError", 2),
        ("DataError", 3),
        ("ConfigError", 4),
        ("ResourceError", 5),
        ("VerificationError", 6),
    ],
)
def test_exit_codes(name, code):
    error = getattr(errors, name)
    assert issubclass(error, errors.PellucidError)
    assert error("what, where, why, what to do").exit_code == code
    assert not issubclass(error, (ValueError, OSError))  # no other except clause may catch it
