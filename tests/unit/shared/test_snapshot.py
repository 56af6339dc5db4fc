import msgpack
import pytest

from loadgen.shared.snapshot import unpack
from tests.unit.exporter.samples import SNAPSHOT


def test_unpack_returns_what_was_packed() -> None:
    assert unpack(SNAPSHOT.pack()) == SNAPSHOT


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xc1",
        b"hello",
        msgpack.packb([1]),
        msgpack.packb({"time": 1.0}),
        SNAPSHOT.pack()[:-9],
    ],
)
def test_unpack_refuses_anything_else(message: bytes) -> None:
    with pytest.raises(ValueError, match="can't read the snapshot"):
        unpack(message)
