"""Label TCP ports for SELinux, and take away no label but one's own.

Runs on a host's platform Python, 3.6 on RHEL 8. It asks semanage, the program, so that it needs no
SELinux bindings of that Python, which a minimal RHEL lacks.
"""

import json
import os

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: selinux_ports
short_description: Label TCP ports, and remember which labels are one's own
description:
  - A port that has the type already, by policy or by the site's own label, is left as it is; a
    range counts for each of its ports.
  - A port that the site has given another type keeps it, and is named in C(left_alone).
  - What is labelled here goes into I(record) first, so that I(state=absent) takes away that alone.
options:
  ports:
    description: TCP port to SELinux type.
    type: dict
    default: {}
  record:
    description: JSON file that keeps the labels made here.
    type: path
    required: true
  state:
    description: Label, or take away the labels on record.
    type: str
    choices: [present, absent]
    default: present
"""


class Semanage:
    """The few things that are asked of semanage."""

    def __init__(self, module):
        self.module = module

    def call(self, *words):
        command = ["semanage", "port"] + list(words)
        # It writes the policy's files anew, which everybody must be able to read.
        code, output, errors = self.module.run_command(
            command, environ_update={"LC_ALL": "C"}, umask=0o022
        )
        if code != 0:
            self.module.fail_json(msg="{}: {}".format(" ".join(command), errors.strip()))
        return output

    def types(self, *options):
        """Types by TCP port or range of ports, first and last."""
        found = {}
        for line in self.call("--list", "--noheading", *options).splitlines():
            words = line.split()
            if words[1:2] == ["tcp"]:
                for ports in "".join(words[2:]).split(","):
                    first, _, last = ports.partition("-")
                    found.setdefault((int(first), int(last or first)), []).append(words[0])
        return found


def types_of(port, found):
    """Types of a port, by its own label and by ranges."""
    return {
        one for (low, high), kinds in found.items() if low <= int(port) <= high for one in kinds
    }


def read_record(path):
    if not os.path.exists(path):
        return {}
    with open(path) as record:
        return json.load(record)


def write_record(module, path, record):
    if not os.path.isdir(os.path.dirname(path)):
        os.makedirs(os.path.dirname(path), mode=0o755)
    scratch = path + ".part"
    with open(scratch, "w") as file:
        json.dump(record, file, indent=1, sort_keys=True)
    module.atomic_move(scratch, path)


def present(module, semanage):
    wanted = {str(port): kind for port, kind in module.params["ports"].items()}
    record = read_record(module.params["record"])
    known, sites = semanage.types(), semanage.types("--locallist")
    open_ones = {port: kind for port, kind in wanted.items() if kind not in types_of(port, known)}
    left = sorted(port for port in open_ones if types_of(port, sites) and port not in record)
    todo = {port: kind for port, kind in open_ones.items() if port not in left}
    if todo and not module.check_mode:
        write_record(module, module.params["record"], dict(record, **todo))
        for port, kind in sorted(todo.items()):
            verb = "--modify" if (int(port), int(port)) in known else "--add"
            semanage.call(verb, "--type", kind, "--proto", "tcp", port)
    return {"changed": bool(todo), "ports": sorted(todo), "left_alone": left}


def absent(module, semanage):
    record = read_record(module.params["record"])
    if not record:
        return {"changed": False, "ports": []}
    sites = semanage.types("--locallist")
    ours = sorted(p for p, kind in record.items() if kind in sites.get((int(p), int(p)), []))
    if not module.check_mode:
        for port in ours:
            semanage.call("--delete", "--proto", "tcp", port)
        os.remove(module.params["record"])
    return {"changed": True, "ports": ours}


def main():
    module = AnsibleModule(
        argument_spec={
            "ports": {"type": "dict", "default": {}},
            "record": {"type": "path", "required": True},
            "state": {"choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    converge = present if module.params["state"] == "present" else absent
    try:
        module.exit_json(**converge(module, Semanage(module)))
    except (IOError, OSError) as error:
        module.fail_json(
            msg="{}: {}; mend the file system there, then run this again".format(
                error.filename or module.params["record"], error.strerror
            )
        )


if __name__ == "__main__":
    main()
