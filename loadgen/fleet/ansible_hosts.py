"""What Ansible makes of an inventory, printed as JSON: groups, variables, and the way to each host.

    python -m loadgen.fleet.ansible_hosts --inventory PATH [--ask-vault-pass …]

A program of its own, for Ansible reads its configuration when it is imported. The way to a host is
what Ansible's own ssh and become plugins say: the words of the ssh command, and the command that
becomes root, which then reads one line from its input and runs it.
"""

import json
import shlex
import sys
from collections.abc import Mapping
from typing import Any

from ansible import constants
from ansible.cli import CLI
from ansible.cli.inventory import InventoryCLI
from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import become_loader, connection_loader, get_shell_plugin
from ansible.template import Templar
from ansible.vars.hostvars import HostVars

from loadgen.deploy.inventory_rules import GROUPS

FLEET_VARIABLES = (
    *("fleet_address", "fleet_web_port", "fleet_exporter_port", "fleet_target_port"),
    *("grafana_source", "grafana_port"),
)
RUN_NEXT_LINE = 'IFS= read -r line && eval "exec $line"'
STARTED = "LOADGEN-STARTED"
SSH = ("ssh", "smart", "paramiko_ssh", "paramiko", "ansible.builtin.ssh")
LOCAL = ("local", "ansible.builtin.local")


class Values:
    """A host's variables as Ansible resolves them."""

    def __init__(self, host: str, variables: Mapping[str, Any], loader: Any) -> None:  # noqa: ANN401
        self.host, self._variables = host, variables
        self._templar = Templar(loader=loader, variables=variables)

    def get(self, name: str, default: object = None) -> Any:  # noqa: ANN401 - Ansible's are untyped
        """Return one variable. AnsibleError: what it refers to can't be resolved."""
        if name not in self._variables:
            return default
        try:
            return self._templar.template(self._variables[name])
        except AnsibleError as error:
            raise AnsibleError(
                f"the variable {name} of {self.host} can't be resolved: {error}"
            ) from error

    def options_for(self, kind: str, plugin: str) -> dict[str, Any]:
        """Return the variables that a plugin reads."""
        names = constants.config.get_plugin_vars(kind, plugin)
        return {name: self.get(name) for name in names if name in self._variables}


def connection(values: Values) -> dict[str, Any]:
    """Return the address, the words of the ssh command (none for this machine), and the rest."""
    kind = values.get("ansible_connection", "ssh")
    if kind not in (*SSH, *LOCAL):
        raise AnsibleError(
            f"ansible_connection of {values.host} is {kind}, but a fleet's hosts are "
            f"reached by ssh; remove that variable"
        )
    plugin = connection_loader.get("ssh", PlayContext(), "/dev/null")
    plugin.set_options(var_options=values.options_for("connection", "ssh"))
    program = plugin.get_option("ssh_executable")
    words = [word.decode() for word in plugin._build_command(program, "ssh")]
    first = words.index(program)
    return {
        "address": plugin.get_option("host"),
        "user": plugin.get_option("remote_user"),
        "key_file": plugin.get_option("private_key_file"),
        "ssh": words[first:] if kind in SSH else [],
        "sshpass": words[:first],
        "ssh_password": plugin.get_option("password"),
    }


def becoming(values: Values, user: str | None) -> dict[str, Any]:
    """Return the command that becomes root and then runs the next line of its input.

    `user` is who logs in: as Ansible does it, nobody becomes who he is already.
    """
    shell = get_shell_plugin(shell_type="sh", executable="/bin/sh")
    if not boolean(values.get("ansible_become", True)):
        return _as_we_are()
    method = values.get("ansible_become_method", constants.DEFAULT_BECOME_METHOD)
    plugin = become_loader.get(method)
    if plugin is None:
        raise AnsibleError(
            f"ansible_become_method of {values.host} is {method}, which is not a become "
            f"method of Ansible; correct it in the inventory"
        )
    plugin.set_options(var_options=values.options_for("become", method))
    if user == plugin.get_option("become_user") and not constants.BECOME_ALLOW_SAME_USER:
        return _as_we_are()
    command = plugin.build_become_command(RUN_NEXT_LINE, shell)
    return {
        "start": f"/bin/sh -c {shlex.quote(command)}",
        "prompt": plugin.prompt or "",
        "started": plugin.success,
        "become_password": plugin.get_option("become_pass"),
    }


def _as_we_are() -> dict[str, Any]:
    command = f"echo {STARTED} ; {RUN_NEXT_LINE}"
    words = {"prompt": "", "started": STARTED, "become_password": None}
    return {**words, "start": f"/bin/sh -c {shlex.quote(command)}"}


class HostsCLI(InventoryCLI):  # type: ignore[misc]  # Ansible has no types
    """`ansible-inventory --list`, with the ways to the hosts."""

    name = "loadgen"

    def run(self) -> None:
        """Print groups and hosts."""
        CLI.run(self)
        loader, inventory, manager = self._play_prereqs()
        # The loader registers itself with the manager, for variables that refer to other hosts'
        # variables.
        HostVars(inventory, manager, loader)
        groups = inventory.get_groups_dict()
        hosts = {}
        for name in dict.fromkeys(host for group in GROUPS for host in groups.get(group, ())):
            variables = manager.get_vars(host=inventory.get_host(name))
            values = Values(name, variables, loader)
            own = {one: values.get(one) for one in FLEET_VARIABLES if one in variables}
            way = connection(values)
            hosts[name] = {"variables": own, **way, **becoming(values, way["user"])}
        print(json.dumps({"groups": groups, "hosts": hosts}, default=str))


def main(arguments: list[str]) -> None:
    """Print what Ansible makes of an inventory; its own faults end it as they end Ansible."""
    HostsCLI(["ansible-inventory", "--list", *arguments]).run()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except AnsibleError as fault:
        sys.exit(f"ERROR! {fault}")
