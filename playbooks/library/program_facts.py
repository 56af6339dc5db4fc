"""Find a program of which distributions know several places, and refuse one that is too old.

Runs on a host's platform Python, 3.6 on RHEL 8.
"""

import os
import re

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: program_facts
short_description: Find a program and learn its version
description:
  - Returns the C(path) of the first of I(candidates) that can be run, and its C(version).
options:
  candidates:
    description: Paths, the best one first.
    type: list
    elements: path
    required: true
  minimum:
    description: The lowest version that will do; empty is any.
    type: str
    default: ""
  reason:
    description: What an older version lacks.
    type: str
    default: ""
  advice:
    description: What to do when there is none or it is too old.
    type: str
    required: true
"""

VERSION = re.compile(r"version[\s:]+v?(\d+(?:\.\d+)+)", re.IGNORECASE)


def is_program(path):
    return os.path.isfile(path) and os.access(path, os.X_OK)


def version_of(module, path):
    """Ask the program; Prometheus' ones answer on either output, by their age."""
    _, output, errors = module.run_command([path, "--version"])
    found = VERSION.search(output + errors)
    return found.group(1) if found else ""


def numbers(version):
    return [int(word) for word in version.split(".")]


def main():
    module = AnsibleModule(
        argument_spec={
            "candidates": {"type": "list", "elements": "path", "required": True},
            "minimum": {"type": "str", "default": ""},
            "reason": {"type": "str", "default": ""},
            "advice": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    found = [path for path in given["candidates"] if is_program(path)]
    if not found:
        module.fail_json(
            msg="none of {} is a program here; {}".format(
                ", ".join(given["candidates"]), given["advice"]
            )
        )
    version = version_of(module, found[0]) if given["minimum"] else ""
    if version and numbers(version) < numbers(given["minimum"]):
        module.fail_json(
            msg="{} is version {}, and the lowest that will do is {}{}; {}".format(
                found[0], version, given["minimum"], given["reason"], given["advice"]
            )
        )
    module.exit_json(changed=False, path=found[0], version=version)


if __name__ == "__main__":
    main()
