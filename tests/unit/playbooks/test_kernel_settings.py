from pathlib import Path
from typing import Any

import pytest

from tests.unit.playbooks.modules import run_module


class Host:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.setting = root / "proc" / "net" / "core" / "somaxconn"
        self.setting.parent.mkdir(parents=True)
        self.setting.write_text("4096\n")
        self.file = root / "sysctl.d" / "90-loadgen.conf"
        self.record = root / "records" / "kernel.json"

    def settle(
        self, state: str = "present", settings: dict[str, int] | None = None
    ) -> dict[str, Any]:
        return run_module(
            "kernel_settings",
            settings=settings or {"net.core.somaxconn": 8192},
            state=state,
            file=str(self.file),
            record=str(self.record),
            proc=str(self.root / "proc"),
        )


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_setting_is_made_now_and_for_every_boot_and_only_once(host: Host) -> None:
    assert host.settle()["changed"]
    assert host.setting.read_text() == "8192\n"
    assert "net.core.somaxconn = 8192" in host.file.read_text()
    assert not host.settle()["changed"]


def test_teardown_gives_back_the_previous_value_and_leaves_no_file(host: Host) -> None:
    host.settle()
    host.settle(settings={"net.core.somaxconn": 16384})
    assert host.settle("absent")["changed"]
    assert host.setting.read_text() == "4096\n"
    assert not host.file.exists()
    assert not host.record.exists()
    assert not host.settle("absent")["changed"]


def test_teardown_leaves_alone_what_somebody_else_has_set_since(host: Host) -> None:
    host.settle()
    host.setting.write_text("1\n")
    assert host.settle("absent")["left_alone"] == ["net.core.somaxconn"]
    assert host.setting.read_text() == "1\n"


def test_an_interrupted_change_is_completed_with_the_first_value_on_record(host: Host) -> None:
    host.settle()
    host.setting.write_text("4096\n")
    host.file.unlink()
    assert host.settle()["changed"]
    host.settle("absent")
    assert host.setting.read_text() == "4096\n"


def test_a_setting_that_the_kernel_does_not_have_is_named(host: Host) -> None:
    answer = host.settle(settings={"net.core.nothing": 1})
    assert answer["failed"]
    assert "nothing" in answer["msg"]
    assert "host_kernel_settings" in answer["msg"]
