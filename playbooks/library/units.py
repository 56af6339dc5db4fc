"""Bring systemd units to their state in one call, without disturbing a run under way.

Runs on a host's platform Python, 3.6 on RHEL 8.
"""

import glob
import os
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: units
short_description: Enable and start units, and restart those that are older than their inputs
description:
  - A unit that started before one of its I(inputs) was written is restarted. So an interrupted
    playbook loses no restart, which a handler would.
  - With I(hold) no running unit is restarted or stopped; it is named in C(held) instead.
options:
  names:
    description: Units to enable and start.
    type: list
    elements: str
    default: []
  template:
    description: Template unit to start one instance of for each worker.
    type: str
  instances:
    description: Instances of I(template); 0 is one a core.
    type: int
    default: 0
  inputs:
    description: Files that a running unit has read at its start.
    type: list
    elements: str
    default: []
  plain:
    description: Units to enable and start that are never restarted.
    type: list
    elements: str
    default: []
  hold:
    description: A run is under way.
    type: bool
    default: false
  rest:
    description: Instances of I(template) that are down stay down, since somebody drained this host.
    type: bool
    default: false
  wants:
    description: Where systemd keeps the links of units that start with the host.
    type: path
    default: /etc/systemd/system/multi-user.target.wants
"""

PROPERTIES = (
    "Id", "ActiveState", "UnitFileState", "ActiveEnterTimestampMonotonic", "ConditionResult",
    "ConditionTimestampMonotonic", "NeedDaemonReload", "LoadState",
)  # fmt: skip


class Systemd:
    """The few things that are asked of systemctl."""

    def __init__(self, module):
        self.module = module

    def call(self, *words):
        code, output, errors = self.module.run_command(["systemctl"] + list(words))
        if code != 0:
            self.module.fail_json(
                msg="systemctl {}: {}; look at journalctl -u {}".format(
                    " ".join(words), errors.strip(), words[-1]
                )
            )
        return output

    def show(self, names):
        """Properties by unit, in one call."""
        output = self.call("show", "--property=" + ",".join(PROPERTIES), *names)
        blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
                  for block in output.split("\n\n")]  # fmt: skip
        return {block["Id"]: block for block in blocks if "Id" in block}

    def find(self, names):
        """Properties by unit, and whether systemd had to read its files again to find them all.

        Until systemd 246 a unit that another one had named before its file came stays not-found
        until then: https://github.com/systemd/systemd/pull/15206. A reload changes no unit.
        """
        shown = self.show(names)
        if not missing(shown):
            return shown, False
        self.call("daemon-reload")
        shown = self.show(names)
        if missing(shown):
            self.module.fail_json(msg="no such unit: {}".format(", ".join(missing(shown))))
        return shown, True


def missing(shown):
    return sorted(name for name, one in shown.items() if one["LoadState"] == "not-found")


def newest(paths):
    """Time of the newest of the files, seconds since the epoch; a link counts as itself."""
    present = [path for pattern in paths for path in glob.glob(pattern)]
    return max([os.lstat(path).st_mtime for path in present] or [0])


def started(properties):
    """When a unit became active, seconds since the epoch, by the clock as it is now."""
    monotonic = int(properties["ActiveEnterTimestampMonotonic"] or 0) / 1e6
    return time.time() - time.clock_gettime(time.CLOCK_MONOTONIC) + monotonic


def instance_names(template, count):
    if not template:
        return []
    count = count or len(os.sched_getaffinity(0))
    return [template.replace("@.", "@{}.".format(number)) for number in range(1, count + 1)]


def surplus(systemd, template, wanted, wants):
    """Instances beyond the wanted ones that run or are enabled."""
    if not template:
        return []
    pattern = template.replace("@.", "@*.")
    listed = systemd.call("list-units", "--all", "--plain", "--no-legend", "--full", pattern)
    loaded = {line.split()[0] for line in listed.splitlines() if line.strip()}
    enabled = {os.path.basename(path) for path in glob.glob(os.path.join(wants, pattern))}
    return sorted((loaded | enabled) - set(wanted))


def is_disabled(name, properties, wants):
    """Look at an instance's link: on some versions its state is that of the template's file."""
    if "@" in name:
        return not os.path.lexists(os.path.join(wants, name))
    return properties["UnitFileState"] == "disabled"


def is_up(properties):
    """Active, on its way there, or waiting for a condition of this host."""
    state = properties["ActiveState"]
    return state in ("active", "activating", "reloading") or (
        state == "inactive" and properties.get("ConditionResult") == "no"
        and int(properties.get("ConditionTimestampMonotonic") or 0) > 0
    )  # fmt: skip


def plan(module, systemd):
    """Sort the units by what has to be done with them."""
    given = module.params
    instances = instance_names(given["template"], given["instances"])
    own = given["names"] + instances
    resting = instances if given["rest"] else []
    shown, reloaded = systemd.find(own + given["plain"])
    changed_at = newest(given["inputs"])
    stale = [
        n for n in own if shown[n]["ActiveState"] == "active" and started(shown[n]) < changed_at
    ]
    extra = surplus(systemd, given["template"], own, given["wants"])
    return {
        "reload": reloaded or any(one["NeedDaemonReload"] == "yes" for one in shown.values()),
        "enable": [n for n, one in shown.items() if is_disabled(n, one, given["wants"])],
        "start": [n for n, one in shown.items() if not is_up(one) and n not in resting],
        "restart": [] if given["hold"] else stale,
        "stop": [] if given["hold"] else extra,
        "held": stale + extra if given["hold"] else [],
    }


def carry_out(systemd, todo):
    if todo["reload"]:
        systemd.call("daemon-reload")
    for verb in ("enable", "restart", "start"):
        if todo[verb]:
            systemd.call(verb, *todo[verb])
    if todo["stop"]:
        systemd.call("disable", "--now", *todo["stop"])


def main():
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "default": []},
            "template": {"type": "str"},
            "instances": {"type": "int", "default": 0},
            "inputs": {"type": "list", "elements": "str", "default": []},
            "plain": {"type": "list", "elements": "str", "default": []},
            "hold": {"type": "bool", "default": False},
            "rest": {"type": "bool", "default": False},
            "wants": {"type": "path", "default": "/etc/systemd/system/multi-user.target.wants"},
        },
        supports_check_mode=True,
    )
    systemd = Systemd(module)
    todo = plan(module, systemd)
    if not module.check_mode:
        carry_out(systemd, todo)
    own = module.params["names"] + instance_names(
        module.params["template"], module.params["instances"]
    )
    changed = any(todo[verb] for verb in ("reload", "enable", "start", "restart", "stop"))
    module.exit_json(changed=changed, units=own, **todo)


if __name__ == "__main__":
    main()
