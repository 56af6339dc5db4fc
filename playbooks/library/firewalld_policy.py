"""Bring a firewalld policy into force, and out of it, without losing rules that nobody has saved.

Runs on a host's platform Python, 3.6 on RHEL 8, and asks firewall-cmd, so that it needs no
bindings of that Python. firewalld makes a policy only when it reloads, and a reload drops every
rule that was added at runtime alone (`man firewall-cmd`), as ban tools and operators do. So where
there is such a rule, the policy's rules stand in the zones in use until the next reload.
"""

import json
import os
import re

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: firewalld_policy
short_description: Bring a policy whose file is written into force, or take it away
options:
  policy:
    description: Its name.
    type: str
    required: true
  file:
    description: Its file; removed by I(state=absent).
    type: path
    required: true
  rules:
    description: Its rich rules, as firewall-cmd prints them.
    type: list
    elements: str
    default: []
  record:
    description: JSON file that keeps what was added to zones at runtime, zone to rules.
    type: path
    required: true
  state:
    description: In force, or gone.
    type: str
    choices: [present, absent]
    default: present
"""


class Firewall:
    """The few things that are asked of firewall-cmd."""

    def __init__(self, module):
        self.module = module

    def ask(self, *words):
        command = ["firewall-cmd"] + list(words)
        code, output, errors = self.module.run_command(command, environ_update={"LC_ALL": "C"})
        return code, output if code == 0 else errors

    def call(self, *words):
        code, output = self.ask(*words)
        if code != 0:
            self.module.fail_json(msg="firewall-cmd {}: {}".format(" ".join(words), output.strip()))
        return output

    def runs(self):
        try:
            return self.module.get_bin_path("firewall-cmd") and self.ask("--state")[0] == 0
        except OSError:
            return False

    def has(self, policy):
        return policy in self.call("--get-policies").split()

    def rules(self, place):
        return {line.strip() for line in self.call(place, "--list-rich-rules").splitlines() if line}

    def settle(self, place, add, remove):
        """Change a place's rules at runtime."""
        if self.module.check_mode:
            return
        for rule in sorted(add):
            self.call(place, "--add-rich-rule=" + rule)
        for rule in sorted(remove):
            self.call(place, "--remove-rich-rule=" + rule)

    def zones(self):
        """Zones in use: those with interfaces or sources, and the default one for the rest."""
        active = self.call("--get-active-zones").splitlines()
        names = {line.split()[0] for line in active if line.strip() and not line[0].isspace()}
        return sorted(names | {self.call("--get-default-zone").strip()})

    def unsaved(self, policy):
        """Whether a reload would change more than the policy.

        It drops what was added at runtime alone, brings back what was taken away so, and puts into
        force what somebody has saved for later.
        """
        for words in (["--list-all-zones"], ["--list-all-policies"]):
            saved = blocks(self.call("--permanent", *words))
            now = blocks(self.call(*words))
            names = (set(now) | set(saved)) - {policy}
            if any(now.get(name) != saved.get(name) for name in names):
                return True
        for words in (["--get-all-chains"], ["--get-all-rules"], ["--get-all-passthroughs"]):
            now = set(self.call("--direct", *words).splitlines())
            if now != set(self.call("--permanent", "--direct", *words).splitlines()):
                return True
        return any(self.unsaved_entries(name) for name in self.call("--get-ipsets").split())

    def unsaved_entries(self, ipset):
        words = ["--ipset=" + ipset, "--get-entries"]
        code, saved = self.ask("--permanent", *words)
        return set(self.call(*words).split()) != set(saved.split() if code == 0 else [])


def blocks(listing):
    """Read the settings of each zone or policy; interfaces stay over a reload."""
    found, name = {}, None
    for line in listing.splitlines():
        if line and not line[0].isspace():
            name = line.split()[0]
            found[name] = set()
        elif line.strip():
            key, _, value = line.strip().partition(":")
            if re.match(r"rule\b", key):
                found[name].add(line.strip())
            elif key != "interfaces":
                found[name].update(key + ":" + word for word in value.split())
    return found


def read_record(path):
    if not os.path.exists(path):
        return {}
    with open(path) as record:
        return {zone: set(rules) for zone, rules in json.load(record).items()}


def write_record(module, path, zones):
    if not os.path.isdir(os.path.dirname(path)):
        os.makedirs(os.path.dirname(path), mode=0o755)
    scratch = path + ".part"
    with open(scratch, "w") as file:
        json.dump({zone: sorted(rules) for zone, rules in zones.items()}, file, indent=1)
    module.atomic_move(scratch, path)


def bridge(module, firewall, wanted):
    """Put the rules into the zones in use until the next reload; True if that changed something."""
    record = read_record(module.params["record"])
    changes = {}
    for zone in firewall.zones():
        now = firewall.rules("--zone=" + zone)
        changes[zone] = (wanted - now, (record.get(zone, set()) - wanted) & now)
    changed = any(add or remove for add, remove in changes.values())
    if changed and not module.check_mode:
        ours = {zone: record.get(zone, set()) | add for zone, (add, _) in changes.items()}
        write_record(module, module.params["record"], dict(record, **ours))
    for zone, (add, remove) in changes.items():
        firewall.settle("--zone=" + zone, add, remove)
    return changed


def present(module, firewall):
    policy, wanted = module.params["policy"], set(module.params["rules"])
    if firewall.has(policy):
        place = "--policy=" + policy
        now = firewall.rules(place)
        firewall.settle(place, wanted - now, now - wanted)
        return {"changed": now != wanted}
    if firewall.unsaved(policy):
        return {"changed": bridge(module, firewall, wanted), "until_reload": firewall.zones()}
    if not module.check_mode:
        firewall.call("--reload")
    return {"changed": True}


def withdraw(module, firewall):
    """Take the rules out of force; True if some were."""
    policy, record = module.params["policy"], read_record(module.params["record"])
    if firewall.has(policy):
        if firewall.unsaved(policy):
            now = firewall.rules("--policy=" + policy)
            firewall.settle("--policy=" + policy, (), now)
            return bool(now)
        if not module.check_mode:
            firewall.call("--reload")
        return True
    for zone, rules in record.items():
        if zone in firewall.zones():
            firewall.settle("--zone=" + zone, (), rules & firewall.rules("--zone=" + zone))
    return bool(record)


def absent(module, firewall):
    leftovers = [module.params[key] for key in ("file", "record")]
    leftovers = [path for path in leftovers if os.path.exists(path)]
    if not module.check_mode and module.params["file"] in leftovers:
        os.remove(module.params["file"])
    changed = bool(firewall.runs() and withdraw(module, firewall))
    if not module.check_mode and module.params["record"] in leftovers:
        os.remove(module.params["record"])
    return {"changed": changed or bool(leftovers)}


def main():
    module = AnsibleModule(
        argument_spec={
            "policy": {"type": "str", "required": True},
            "file": {"type": "path", "required": True},
            "rules": {"type": "list", "elements": "str", "default": []},
            "record": {"type": "path", "required": True},
            "state": {"choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    converge = present if module.params["state"] == "present" else absent
    module.exit_json(**converge(module, Firewall(module)))


if __name__ == "__main__":
    main()
