"""Learn in one call what a deploy has to know about a host; changes nothing.

Runs on a host's platform Python, 3.6 on RHEL 8.
"""

import os

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: node_facts
short_description: Learn what a host has of a fleet
description:
  - Returns C(free_bytes) below I(software), C(run_under_way), C(has_run) when that is one of
    loadgen and not of the web UI, C(links) of I(software), C(missing) of I(packages),
    C(installed) by an earlier deploy, and whether C(firewalld) runs.
options:
  software:
    description: Where releases and virtual environments live.
    type: path
    required: true
  state_directory:
    description: Where run.json lies while a run is under way.
    type: path
    required: true
  records:
    description: Where deploy notes what teardown must know.
    type: path
    required: true
  packages:
    description: Names of packages.
    type: list
    elements: str
    required: true
"""

RPM = ["rpm", "--query", "--queryformat", "%{NAME}\n"]
DPKG = ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\n"]


def free_bytes(path):
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    space = os.statvfs(path)
    return space.f_bavail * space.f_frsize


def missing(module, packages):
    """Asking rpm or dpkg takes a moment; dnf would take seconds to find that nothing is to do."""
    query = DPKG if os.path.exists("/var/lib/dpkg/status") and not is_red_hat() else RPM
    _, output, _ = module.run_command(query + packages)
    words = [line.split() for line in output.splitlines()]
    present = {line[-1] for line in words if len(line) == 1 or line[0] == "installed"}
    return [name for name in packages if name not in present]


def is_red_hat():
    return os.path.exists("/etc/redhat-release")


def web_test_under_way(module, software, state_directory):
    """Ask the master: a test that was started from the web UI has no run.json."""
    control = os.path.join(state_directory, "control.sock")
    python = os.path.join(software, "venv", "bin", "python")
    current = os.path.join(software, "current")
    if not all(os.path.exists(path) for path in (control, python, current)):
        return False
    command = [python, "-B", "-m", "loadgen.node.control", "ipc://" + control, "status"]
    _, output, _ = module.run_command(command, cwd=current)
    return output.strip() in ("spawning", "running", "stopping", "cleanup")


def links(software):
    paths = [os.path.join(software, name) for name in ("current", "venv")]
    return [os.readlink(path) for path in paths if os.path.islink(path)]


def main():
    module = AnsibleModule(
        argument_spec={
            "software": {"type": "path", "required": True},
            "state_directory": {"type": "path", "required": True},
            "records": {"type": "path", "required": True},
            "packages": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    recorded = os.path.join(given["records"], "packages")
    software, state = given["software"], given["state_directory"]
    has_run = os.path.exists(os.path.join(state, "run.json"))
    code, _, _ = module.run_command(["systemctl", "is-active", "--quiet", "firewalld.service"])
    module.exit_json(
        changed=False,
        free_bytes=free_bytes(software),
        run_under_way=has_run or web_test_under_way(module, software, state),
        has_run=has_run,
        links=links(software),
        missing=missing(module, given["packages"]),
        installed=sorted(os.listdir(recorded)) if os.path.isdir(recorded) else [],
        firewalld=code == 0,
    )


if __name__ == "__main__":
    main()
