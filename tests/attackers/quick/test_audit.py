"""An audit that could not ask says so, and never passes."""

from tests.audit import Package, judge

SOUND: Package = {"name": "a", "version": "1", "vulns": []}
WEAK: Package = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
SKIPPED: Package = {"name": "c", "skip_reason": "not found on PyPI"}


def test_sound_packages_pass() -> None:
    assert judge([SOUND]) == (0, ["1 locked packages, none with a known weakness"])


def test_a_known_weakness_is_named_even_when_others_were_not_looked_up() -> None:
    assert judge([SOUND, WEAK, SKIPPED]) == (1, ["b 2: PYSEC-1, mended in 3"])


def test_what_was_not_looked_up_proves_nothing() -> None:
    cases: tuple[list[Package], ...] = ([SOUND, SKIPPED], [])
    for packages in cases:
        code, lines = judge(packages)
        assert code == 4
        assert "nothing is proven" in lines[0]
