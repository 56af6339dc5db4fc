"""The web UI's login file, as a host in FIPS mode must be able to read it."""

import hashlib
import json
from pathlib import Path

import pytest
from werkzeug.security import check_password_hash

from loadgen.node.web_login import PasswordBook
from tests.unit.playbooks.modules import load_filters

login_file = load_filters("credentials")["login_file"]


@pytest.fixture(autouse=True)
def fips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse what OpenSSL's FIPS provider refuses."""

    def refuse(*_: object, **__: object) -> bytes:
        raise ValueError("[digital envelope routines] unsupported")

    monkeypatch.setattr(hashlib, "scrypt", refuse)
    monkeypatch.setattr(hashlib, "md5", refuse)


def test_a_login_is_made_and_checked_without_scrypt(tmp_path: Path) -> None:
    path = tmp_path / "login.json"
    path.write_text(login_file({"ann": "right", "bob": "other"}, "key"))
    hashes = json.loads(path.read_text())["users"]
    assert check_password_hash(hashes["ann"], "right")
    assert not check_password_hash(hashes["ann"], "other")
    book = PasswordBook(path)
    assert book.admits("ann", "right")
    assert not book.admits("nobody", "right")


def test_the_same_password_gives_the_same_file_and_another_salt_for_each_user() -> None:
    text = login_file({"ann": "same", "bob": "same"}, "key")
    assert text == login_file({"bob": "same", "ann": "same"}, "key")
    assert len(set(json.loads(text)["users"].values())) == 2
