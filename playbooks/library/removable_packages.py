"""Find which packages can go without taking others along that came later.

Runs on a host's platform Python, 3.6 on RHEL 8. Both dnf and apt remove whatever needs a package
that they are told to remove; rpm and dpkg refuse, and say who needs it.
"""

import os
import re

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: removable_packages
short_description: Find which packages nothing else needs
description:
  - Returns C(packages), those of I(packages) that are installed and can be removed together, and
    C(needed), those that something outside of I(packages) needs.
options:
  packages:
    description: Names.
    type: list
    elements: str
    required: true
  etc:
    description: Where the host keeps its settings.
    type: path
    default: /etc
"""

RPM_NEED = re.compile(r"^\s*(\S+).* is needed by ")
DPKG_NEED = re.compile(r"^dpkg: dependency problems prevent removal of ([^:\s]+)")


class Rpm:
    """What rpm knows of packages."""

    def __init__(self, run):
        self.run = run

    def installed(self, names):
        _, output, _ = self.run(["rpm", "--query", "--queryformat", "%{NAME}\n"] + names)
        return [line for line in output.splitlines() if line in names]

    def needed(self, names):
        """Names of those without which something else would lack what it requires."""
        code, output, errors = self.run(["rpm", "--erase", "--test"] + names)
        lines = (output + errors).splitlines()
        wanted = [found.group(1) for found in map(RPM_NEED.match, lines) if found]
        if code != 0 and not wanted:
            return names
        query = ["rpm", "--query", "--queryformat", "%{NAME}\n", "--whatprovides"]
        found = [self.run(query + [capability])[1].split() for capability in wanted]
        return [name for name in names if any(name in providers for providers in found)]


class Dpkg:
    """What dpkg knows of packages."""

    def __init__(self, run):
        self.run = run

    def installed(self, names):
        query = ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\n"]
        _, output, _ = self.run(query + names)
        return [line.split()[1] for line in output.splitlines() if line.startswith("installed ")]

    def needed(self, names):
        code, output, errors = self.run(["dpkg", "--simulate", "--remove"] + names)
        lines = (output + errors).splitlines()
        found = {match.group(1) for match in map(DPKG_NEED.match, lines) if match}
        if code != 0 and not found:
            return names
        return [name for name in names if name in found]


def main():
    module = AnsibleModule(
        argument_spec={
            "packages": {"type": "list", "elements": "str", "required": True},
            "etc": {"type": "path", "default": "/etc"},
        },
        supports_check_mode=True,
    )

    def run(command):
        return module.run_command(command, environ_update={"LC_ALL": "C"})

    red_hat = os.path.exists(os.path.join(module.params["etc"], "redhat-release"))
    manager = Rpm(run) if red_hat else Dpkg(run)
    names, needed = sorted(set(module.params["packages"])), []
    names = manager.installed(names) if names else []
    while names:
        held = manager.needed(names)
        if not held:
            break
        needed += held
        names = [name for name in names if name not in held]
    module.exit_json(changed=False, packages=names, needed=sorted(needed))


if __name__ == "__main__":
    main()
