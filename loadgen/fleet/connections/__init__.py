"""Connections to hosts: OpenSSH carries them, with the words that Ansible gives it."""
