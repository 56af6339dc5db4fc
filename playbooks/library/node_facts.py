"""Learn in one call what a deploy has to know about a host; changes nothing.

Runs on a host's platform Python, 3.6 on RHEL 8.
"""

import glob
import os

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: node_facts
short_description: Learn what a host has of a fleet
description:
  - Returns C(free_bytes) below I(software), C(run_under_way), C(has_run) when that is one of
    loadgen and not of the web UI, C(links) of I(software), C(missing) of I(packages),
    and where some are the names of all that are C(present), C(installed) by an earlier deploy,
    C(masked) of I(units), whether C(firewalld) runs, C(rival_firewalls) that are in force, and
    whether C(fapolicyd) runs and has no rule for I(software).
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
  units:
    description: Names of services.
    type: list
    elements: str
    default: []
  etc:
    description: Where the host keeps its settings.
    type: path
    default: /etc
"""

RPM = ["rpm", "--query", "--whatprovides", "--queryformat", ""]
DPKG = ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\n"]


def free_bytes(path):
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    space = os.statvfs(path)
    return space.f_bavail * space.f_frsize


def missing(module, packages):
    """Asking rpm or dpkg takes a moment; dnf would take seconds to find that nothing is to do."""
    if not packages:
        return []
    red_hat = os.path.exists(os.path.join(module.params["etc"], "redhat-release"))
    query = RPM if red_hat else DPKG
    _, output, _ = module.run_command(query + packages, environ_update={"LC_ALL": "C"})
    lines = [line.split() for line in output.splitlines()]
    if red_hat:
        # By what it provides: RHEL 10's python3 is python3.12, and EPEL has renamed packages.
        absent = {line[-1] for line in lines if line[:3] == ["no", "package", "provides"]}
    else:
        absent = set(packages) - {line[-1] for line in lines if line[0] == "installed"}
    return [name for name in packages if name in absent]


def present(module, absent):
    """Names of all packages, where some are to come; what comes with those is told from them."""
    if not absent:
        return []
    red_hat = os.path.exists(os.path.join(module.params["etc"], "redhat-release"))
    query = ["rpm", "--query", "--all", "--queryformat", "installed %{NAME}\n"] if red_hat else DPKG
    _, output, _ = module.run_command(query, environ_update={"LC_ALL": "C"})
    lines = [line.split() for line in output.splitlines()]
    return sorted({line[1] for line in lines if line[0] == "installed"})


def active(module, *units):
    _, output, _ = module.run_command(["systemctl", "is-active"] + list(units))
    return [unit for unit, state in zip(units, output.split()) if state == "active"]


def rival_firewalls(module):
    """Firewalls that refuse what they don't know, and that the kit doesn't speak to."""
    found = active(module, "iptables.service", "ip6tables.service")
    if "ENABLED=yes" in read(os.path.join(module.params["etc"], "ufw", "ufw.conf")):
        found.append("ufw.service")
    return found


def distrusted(module):
    """Whether fapolicyd runs and neither its rules nor its trust files name the software."""
    if not active(module, "fapolicyd.service"):
        return False
    top = os.path.join(module.params["etc"], "fapolicyd")
    names = ("fapolicyd.rules", "fapolicyd.trust", "rules.d/*", "trust.d/*")
    paths = [path for name in names for path in glob.glob(os.path.join(top, name))]
    return not any(module.params["software"] + "/" in read(path) for path in paths)


def read(path):
    if not os.path.exists(path):
        return ""
    with open(path) as file:
        return file.read()


def masked(module):
    places = [
        os.path.join(module.params["etc"], "systemd", "system", u) for u in module.params["units"]
    ]
    return [os.path.basename(path) for path in places if os.path.realpath(path) == "/dev/null"]


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
    """Leave out what the fleet's own user can't enter, by an earlier deploy's umask."""
    paths = [os.path.join(software, name) for name in ("current", "venv")]
    return [os.readlink(path) for path in paths if os.path.islink(path) and is_open(path)]


def is_open(path):
    """Tell whether others than root may enter: everybody, or a group of the fleet's own."""
    if not os.path.isdir(path):
        return False
    now = os.stat(path)
    return now.st_mode & 0o005 == 0o005 or (now.st_gid != 0 and now.st_mode & 0o050 == 0o050)


def main():
    module = AnsibleModule(
        argument_spec={
            "software": {"type": "path", "required": True},
            "state_directory": {"type": "path", "required": True},
            "records": {"type": "path", "required": True},
            "packages": {"type": "list", "elements": "str", "required": True},
            "units": {"type": "list", "elements": "str", "default": []},
            "etc": {"type": "path", "default": "/etc"},
        },
        supports_check_mode=True,
    )
    given = module.params
    recorded = os.path.join(given["records"], "packages")
    software, state = given["software"], given["state_directory"]
    absent = missing(module, given["packages"])
    has_run = os.path.exists(os.path.join(state, "run.json"))
    module.exit_json(
        changed=False,
        free_bytes=free_bytes(software),
        run_under_way=has_run or web_test_under_way(module, software, state),
        has_run=has_run,
        drained=os.path.exists(os.path.join(state, "drained")),
        links=links(software),
        missing=absent,
        present=present(module, absent),
        installed=sorted(os.listdir(recorded)) if os.path.isdir(recorded) else [],
        masked=masked(module),
        firewalld=bool(active(module, "firewalld.service")),
        rival_firewalls=rival_firewalls(module),
        fapolicyd=distrusted(module),
    )


if __name__ == "__main__":
    main()
