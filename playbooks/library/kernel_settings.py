"""Set kernel settings now and at every boot, and give back what was there before.

Runs on a host's platform Python, 3.6 on RHEL 8.
"""

import json
import os

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: kernel_settings
short_description: Set kernel settings and remember the previous values
description:
  - Writes I(settings) to the running kernel and to I(file), which is read at boot.
  - Before a setting is changed for the first time its value goes into I(record), so that
    I(state=absent) can restore it, even when a run of this module was cut short.
  - A setting that somebody else has changed since is left alone by I(state=absent).
options:
  settings:
    description: Setting to value, named as sysctl names it.
    type: dict
    default: {}
  file:
    description: File below /etc/sysctl.d.
    type: path
    required: true
  record:
    description: JSON file for the previous values.
    type: path
    required: true
  state:
    description: Set or restore.
    type: str
    choices: [present, absent]
    default: present
  proc:
    description: Where the kernel shows its settings.
    type: path
    default: /proc/sys
"""


class Kernel:
    """Settings of the running kernel, with white space as one blank."""

    def __init__(self, proc):
        self.proc = proc

    def _path(self, name):
        return os.path.join(self.proc, *name.split("."))

    def read(self, name):
        with open(self._path(name)) as setting:
            return " ".join(setting.read().split())

    def write(self, name, value):
        with open(self._path(name), "w") as setting:
            setting.write(value + "\n")


def read_record(path):
    if not os.path.exists(path):
        return {}
    with open(path) as record:
        return json.load(record)


def present(module, kernel):
    wanted = {name: " ".join(str(v).split()) for name, v in module.params["settings"].items()}
    now = {name: kernel.read(name) for name in wanted}
    record = read_record(module.params["record"])
    text = "# Ansible managed: role host\n"
    text += "".join("{} = {}\n".format(name, wanted[name]) for name in sorted(wanted))
    changes = {name: value for name, value in wanted.items() if now[name] != value}
    changed = bool(changes) or read_text(module.params["file"]) != text
    if changed and not module.check_mode:
        for name, value in wanted.items():
            previous = record.get(name, {}).get("previous", now[name])
            record[name] = {"previous": previous, "ours": value}
        write_text(module, module.params["record"], json.dumps(record, indent=1, sort_keys=True))
        for name, value in changes.items():
            kernel.write(name, value)
        write_text(module, module.params["file"], text)
    return {"changed": changed, "settings": sorted(changes)}


def absent(module, kernel):
    record = read_record(module.params["record"])
    ours = {name: one for name, one in record.items() if kernel.read(name) == one["ours"]}
    changes = {n: one["previous"] for n, one in ours.items() if one["previous"] != one["ours"]}
    leftovers = [module.params[key] for key in ("file", "record")]
    leftovers = [path for path in leftovers if os.path.exists(path)]
    if not module.check_mode:
        for name, value in changes.items():
            kernel.write(name, value)
        for path in leftovers:
            os.remove(path)
    return {
        "changed": bool(changes or leftovers),
        "settings": sorted(changes),
        "left_alone": sorted(set(record) - set(ours)),
    }


def read_text(path):
    if not os.path.exists(path):
        return None
    with open(path) as file:
        return file.read()


def write_text(module, path, text):
    """Replace a file in one step, so that an interruption leaves the old or the new one."""
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        os.makedirs(directory, mode=0o755)
    scratch = os.path.join(directory, ".loadgen-" + os.path.basename(path))
    with open(scratch, "w") as file:
        file.write(text)
    os.chmod(scratch, 0o644)
    module.atomic_move(scratch, path)


def main():
    module = AnsibleModule(
        argument_spec={
            "settings": {"type": "dict", "default": {}},
            "file": {"type": "path", "required": True},
            "record": {"type": "path", "required": True},
            "state": {"choices": ["present", "absent"], "default": "present"},
            "proc": {"type": "path", "default": "/proc/sys"},
        },
        supports_check_mode=True,
    )
    kernel = Kernel(module.params["proc"])
    try:
        converge = present if module.params["state"] == "present" else absent
        module.exit_json(**converge(module, kernel))
    except (IOError, OSError) as error:
        module.fail_json(
            msg="host_kernel_settings: {} could not be read or set: {}; take settings that this "
            "kernel does not let you set out of host_kernel_settings".format(
                getattr(error, "filename", None), error.strerror
            )
        )


if __name__ == "__main__":
    main()
