from pathlib import Path

import pytest
import zmq
from zmq.utils import z85

from loadgen.node import channel


def zap_request(key: bytes, mechanism: bytes = b"CURVE") -> list[bytes]:
    return [b"1.0", b"1", b"loadgen", b"127.0.0.1", b"", mechanism, key]


def status_of(answer: list[bytes]) -> bytes:
    return answer[2]


@pytest.fixture
def admitted(tmp_path: Path) -> channel.AdmittedKeys:
    channel.create_key_pair(tmp_path / "workers", "one")
    return channel.AdmittedKeys(tmp_path / "workers")


def raw_key(tmp_path: Path, name: str) -> bytes:
    return z85.decode(channel.load_public_key(tmp_path / "workers" / f"{name}.key"))


def test_zap_admits_a_known_key_by_its_name(tmp_path: Path, admitted: channel.AdmittedKeys) -> None:
    answer = channel.answer_zap(zap_request(raw_key(tmp_path, "one")), admitted)

    assert status_of(answer) == b"200"
    assert admitted.owner(answer[4].decode()) == "one"


@pytest.mark.parametrize("key", [b"", b"x" * 32, b"x" * 31, b"x" * 10_000])
def test_zap_refuses_any_other_key(admitted: channel.AdmittedKeys, key: bytes) -> None:
    assert status_of(channel.answer_zap(zap_request(key), admitted)) == b"400"


def test_zap_refuses_the_clear(tmp_path: Path, admitted: channel.AdmittedKeys) -> None:
    request = zap_request(raw_key(tmp_path, "one"), mechanism=b"NULL")

    assert status_of(channel.answer_zap(request, admitted)) == b"400"


def test_keys_are_admitted_and_shut_out_while_running(
    tmp_path: Path, admitted: channel.AdmittedKeys
) -> None:
    channel.create_key_pair(tmp_path / "workers", "two")
    one, two = raw_key(tmp_path, "one"), raw_key(tmp_path, "two")
    assert admitted.name_of(two) == "two"

    (tmp_path / "workers" / "one.key").unlink()

    assert admitted.name_of(one) is None
    assert admitted.name_of(two) == "two"


def test_a_connection_of_a_key_that_was_replaced_has_no_owner_any_more(tmp_path: Path) -> None:
    channel.create_key_pair(tmp_path / "workers", "one")
    request = zap_request(raw_key(tmp_path, "one"))
    admitted = channel.AdmittedKeys(tmp_path / "workers")
    user_id = channel.answer_zap(request, admitted)[4].decode()
    assert admitted.owner(user_id) == "one"

    (tmp_path / "workers" / "one.key").unlink()
    channel.create_key_pair(tmp_path / "workers", "one")

    assert channel.AdmittedKeys(tmp_path / "workers").owner(user_id) is None


@pytest.mark.parametrize("user_id", ["", "one", "one ", "one abc", "one " + "~" * 40, " ", "é"])
def test_what_is_no_user_id_has_no_owner(admitted: channel.AdmittedKeys, user_id: str) -> None:
    assert admitted.owner(user_id) is None


def test_secret_key_can_be_read_by_its_owner_only(tmp_path: Path) -> None:
    assert channel.main(["create", str(tmp_path), "worker", "worker2"]) == 0
    assert (tmp_path / "worker2.key_secret").exists()

    assert (tmp_path / "worker.key_secret").stat().st_mode & 0o777 == 0o600
    public, _ = channel.load_key_pair(tmp_path / "worker.key_secret")
    assert public == channel.load_public_key(tmp_path / "worker.key")


def test_create_does_not_replace_a_key(tmp_path: Path) -> None:
    channel.main(["create", str(tmp_path), "worker"])
    before = (tmp_path / "worker.key").read_bytes()

    with pytest.raises(SystemExit) as ended:
        channel.main(["create", str(tmp_path), "worker"])

    assert ended.value.code == 2
    assert (tmp_path / "worker.key").read_bytes() == before


def test_secured_client_needs_the_masters_key(tmp_path: Path) -> None:
    channel.create_key_pair(tmp_path, "worker")
    with (
        zmq.Context() as context,
        context.socket(zmq.DEALER) as socket,
        pytest.raises(OSError, match=r"master\.key"),
    ):
        channel.secure_client(socket, tmp_path)
