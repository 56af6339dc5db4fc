"""Remove files and whole directories, however deep the runs' user has nested them.

Python's own removal, and so Ansible's, goes as deep as its stack: about a thousand directories.
Runs on a host's platform Python, 3.6 on RHEL 8.
"""

import os

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: absent_trees
short_description: Hold that nothing lies at some paths
description:
  - Removes whatever is there; links are removed and not followed.
options:
  paths:
    description: Absolute paths.
    type: list
    elements: path
    required: true
"""


def main():
    module = AnsibleModule(
        argument_spec={"paths": {"type": "list", "elements": "path", "required": True}},
        supports_check_mode=True,
    )
    found = [path for path in module.params["paths"] if os.path.lexists(path)]
    if found and not module.check_mode:
        code, _, errors = module.run_command(["rm", "-rf", "--"] + found)
        if code != 0:
            module.fail_json(
                msg="{} can't be removed: {}; look at it on that host, then run this again".format(
                    ", ".join(found), errors.strip()[-500:]
                )
            )
    module.exit_json(changed=bool(found), paths=found)


if __name__ == "__main__":
    main()
