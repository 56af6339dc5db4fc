"""The exit code that a locustfile asks for, as `sys.exit` takes it."""

import pytest

from loadgen.shared.exit_codes import exit_code


@pytest.mark.parametrize(
    ("asked", "code"),
    [(None, None), (0, 0), (7, 7), (True, 1), (-1, 255), (256, 256), ("3", 1), (1.5, 1), ("", 0)],
)
def test_what_is_no_number_asks_for_1(asked: object, code: int | None) -> None:
    assert exit_code(asked) == code
