"""No configuration file of Locust's own changes a run: not a user's, not a left one."""

import subprocess
import sys
from pathlib import Path

CODE = """
import locust.main
from locust import argument_parser
from loadgen.node import locust_fixes
locust_fixes.read_no_configuration_files()
given = argument_parser.parse_locustfile_option([])
print(locust.main.get_parser().parse_args([]).num_users, given.locustfile)
"""


def test_files_in_home_and_where_it_is_started_are_not_read(tmp_path: Path) -> None:
    for name in (".locust.conf", "locust.conf"):
        (tmp_path / name).write_text("users = 77\nlocustfile = left.py\n")
    (tmp_path / "pyproject.toml").write_text('[tool.locust]\nusers = 77\nloglevel = "ERROR"\n')

    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE],
        cwd=tmp_path,
        env={"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert finished.stdout.splitlines()[-1:] == ["None locustfile.py"], (
        finished.stdout + finished.stderr
    )
