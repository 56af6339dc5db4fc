"""Reading accounts, and handing them out."""

from pathlib import Path

import pytest

from loadgen.scenario.account_file import SIMULATORS, Account, find_accounts, handed_over
from loadgen.shared.errors import UsageError


def _file(directory: Path, text: str) -> Path:
    path = directory / "accounts.csv"
    path.write_text(text)
    return path


def test_file_gives_its_accounts_in_order(tmp_path: Path) -> None:
    path = _file(tmp_path, "username,password\nana,one\nben,two\n")
    accounts, source = find_accounts({"ACCOUNTS": str(path)}, "https://example.org")
    assert [(account.username, account.password) for account in accounts] == [
        ("ana", "one"),
        ("ben", "two"),
    ]
    assert source == str(path)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "begins with 'nothing'"),
        ("user;password\nana;one\n", "begins with 'user;password'"),
        ("username,password\n", "no account below its header"),
        ("username,password\nana\n", "line 2: it has 1 columns"),
        ("username,password\nana,one,two\n", "line 2: it has 3 columns"),
        ("username,password\nana,\n", "both columns filled"),
        ("username,password\nana,one\nben,two\nana,three\n", "ana is on lines 2 and 4"),
    ],
)
def test_file_with_a_fault_is_one_sentence(tmp_path: Path, text: str, fault: str) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(UsageError, match=fault) as caught:
        find_accounts({"ACCOUNTS": str(path)}, None)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_text_in_the_environment_stands_for_a_file() -> None:
    accounts, source = find_accounts({"ACCOUNTS_CSV": "username,password\nana,one\n"}, None)
    assert (accounts, source) == ([Account("ana", "one")], "ACCOUNTS")
    with pytest.raises(UsageError, match="ana is on lines 2 and 3"):
        find_accounts({"ACCOUNTS_CSV": "username,password\nana,1\nana,2\n"}, None)


def test_missing_and_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        find_accounts({"ACCOUNTS": str(tmp_path / "none.csv")}, None)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not UTF-8"):
        find_accounts({"ACCOUNTS": str(tmp_path / "binary.csv")}, None)


def test_one_account_may_come_from_the_environment() -> None:
    variables = {"ACCOUNT_USERNAME": "ana", "ACCOUNT_PASSWORD": "one"}
    assert find_accounts(variables, "https://example.org")[0] == [Account("ana", "one")]
    with pytest.raises(UsageError, match="without ACCOUNT_PASSWORD"):
        find_accounts({"ACCOUNT_USERNAME": "ana"}, None)


@pytest.mark.parametrize("host", ["http://127.0.0.1:8000", "https://localhost", None])
def test_target_on_this_machine_uses_the_simulators_accounts(host: str | None) -> None:
    accounts, source = find_accounts({}, host)
    assert (len(accounts), source) == (1000, str(SIMULATORS))


def test_target_elsewhere_needs_accounts() -> None:
    with pytest.raises(UsageError, match="set ACCOUNTS"):
        find_accounts({}, "https://repository.example.org")


def test_fleets_master_gets_the_lines_and_not_the_path(tmp_path: Path) -> None:
    path = _file(tmp_path, "username,password\nana,one\n")
    given = handed_over({"ACCOUNTS": str(path), "HOME": "/root"}, simulated=True)
    assert given == {"ACCOUNTS_CSV": "username,password\nana,one\n"}
    assert find_accounts(given, "https://example.org")[0] == [Account("ana", "one")]


def test_fleets_master_gets_one_users_account_or_the_simulators_or_none() -> None:
    one = {"ACCOUNT_USERNAME": "ana", "ACCOUNT_PASSWORD": "one"}
    assert handed_over(one, simulated=True) == one
    assert len(find_accounts(handed_over({}, simulated=True), "http://10.0.0.1")[0]) == 1000
    assert handed_over({}, simulated=False) == {}


def test_password_is_not_in_an_accounts_text() -> None:
    assert "secret" not in repr(Account("ana", "secret"))
