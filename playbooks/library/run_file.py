"""Read what a host's run.json says, from a directory where the runs' user may write.

Whoever writes a locustfile decides what lies there, so nothing is followed, waited for or read
without end. Runs on a host's platform Python, 3.6 on RHEL 8.
"""

import errno
import json
import os
import pwd
import stat

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: run_file
short_description: Read run.json as root without being led elsewhere
description:
  - Returns its object as C(run). A link, anything but a plain file of I(owner), more than a
    megabyte, and what is no JSON object are refused.
options:
  path:
    description: The file.
    type: path
    required: true
  owner:
    description: The runs' user.
    type: str
    required: true
"""

BYTES_MAX = 1 << 20
LEVELS_MAX = 20


class RefusedError(Exception):
    """The file is not what it has to be."""


def read(path, owner):
    """Return the file's bytes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise RefusedError("is a link, not a file of user {}".format(owner)) from error
        raise
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise RefusedError("is no plain file of its own")
        if found.st_uid != pwd.getpwnam(owner).pw_uid:
            raise RefusedError("belongs to user id {}, not to {}".format(found.st_uid, owner))
        content = file.read(BYTES_MAX + 1)
    if len(content) > BYTES_MAX:
        raise RefusedError("has more than {:,} bytes".format(BYTES_MAX))
    return content


def parse(content):
    """Return the run's object."""
    try:
        run = json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise RefusedError("is no JSON") from error
    if not isinstance(run, dict) or not isinstance(run.get("run_id"), str):
        raise RefusedError("is no object with a run_id")
    if levels(run) > LEVELS_MAX:
        raise RefusedError("is nested more than {} levels deep".format(LEVELS_MAX))
    return run


def levels(value):
    """Count how deep a value is nested, up to one more than may be: Ansible walks down each."""
    here = [value]
    for count in range(LEVELS_MAX + 1):
        here = [inner for one in here for inner in inside(one)]
        if not here:
            return count
    return LEVELS_MAX + 1


def inside(value):
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def main():
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "owner": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    path, owner = module.params["path"], module.params["owner"]
    try:
        run = parse(read(path, owner))
    except (RefusedError, OSError, KeyError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.args[0]
        module.fail_json(
            msg="{}: {}; a locustfile may have changed it: stop the run, then run "
            "this again".format(path, reason)
        )
    module.exit_json(changed=False, run=run)


if __name__ == "__main__":
    main()
