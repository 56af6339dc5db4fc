"""The option `--inventory`, and Ansible's own options for Vault that go with it everywhere."""

from pathlib import Path

from loadgen.cli.verb import VerbParser


def add_inventory(verb: VerbParser, words: str, required: bool = False) -> None:
    """Add `--inventory`; what is said of Vault arrives as Ansible's words in `options.vault`."""
    add = verb.add_argument
    add("--inventory", type=Path, required=required, help=words)
    add(
        "--ask-vault-pass",
        dest="vault",
        action="append_const",
        const="--ask-vault-pass",
        default=[],
        help="ask once for the password of Ansible Vault",
    )
    add(
        "--vault-password-file",
        dest="vault",
        action="append",
        metavar="FILE",
        type=lambda file: f"--vault-password-file={file}",
        help="a file that holds the Vault password, or a program that prints it",
    )
    add(
        "--vault-id",
        dest="vault",
        action="append",
        metavar="ID@SOURCE",
        type=lambda identity: f"--vault-id={identity}",
        help="an Ansible Vault ID: ID@prompt asks for its password, ID@FILE reads it from FILE",
    )
