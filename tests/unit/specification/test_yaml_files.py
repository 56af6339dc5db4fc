import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.shared.errors import UsageError
from loadgen.specification.yaml_files import BYTES_MAX, load_mapping


def write(directory: Path, text: str) -> Path:
    path = directory / "experiment.yml"
    path.write_text(text)
    return path


def test_fields_are_read(tmp_path: Path) -> None:
    text = "users: 100\nslos:\n  - {measure: p95_seconds, at_most: 2}\n"
    assert load_mapping(write(tmp_path, text)) == {
        "users": 100,
        "slos": [{"measure": "p95_seconds", "at_most": 2}],
    }


BOMB = 'a0: &a0 ["lol","lol"]\n' + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (BOMB, "line 2 can't be read as YAML: it has an alias"),
        ("users: 1\nusers: 2\n", "line 2 can't be read as YAML: it has the field users twice"),
        ("a: " + "[" * 5000, "more than 20 levels of nesting"),
        ("users: [1, 2\nhost: x", "can't be read as YAML"),
        ("run: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("- 1\n- 2\n", "is of the type list, but it must contain fields"),
        ("", "is of the type NoneType"),
        ("1: 2\n", "it must contain fields"),
        ("x" * (BYTES_MAX + 1), "bytes, but at most"),
        ("time: 2026-99-99\n", "can't be read as YAML"),
    ],
)
def test_what_only_a_machine_would_write_is_refused(tmp_path: Path, text: str, rule: str) -> None:
    began = time.monotonic()
    with pytest.raises(UsageError, match=rule):
        load_mapping(write(tmp_path, text))
    assert time.monotonic() - began < 20


def test_a_missing_or_binary_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read \\(No such file or directory\\)"):
        load_mapping(tmp_path / "absent.yml")
    (tmp_path / "binary.yml").write_bytes(b"\xff\xfe\x00users")
    with pytest.raises(UsageError, match="not UTF-8"):
        load_mapping(tmp_path / "binary.yml")


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_in_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("yaml") / "any.yml"
    path.write_text(text, encoding="utf-8", errors="replace")
    with contextlib.suppress(UsageError):
        assert isinstance(load_mapping(path), dict)
