"""Hold a set of small files in one directory: one call instead of one task a file.

Runs on a host's platform Python, 3.6 on RHEL 8.
"""

import grp
import json
import os
import pwd
import shutil
import stat
import tempfile

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: directory_files
short_description: Hold files with given contents in a directory
description:
  - Every file is replaced in one step, and only when its content, owner or mode differs.
options:
  path:
    description: The directory; made when it is missing.
    type: path
    required: true
  files:
    description: Relative path to content; an object becomes JSON.
    type: dict
    required: true
  purge:
    description: Relative directories that hold nothing else.
    type: list
    elements: str
    default: []
  owner:
    description: Owner of what is made here; the one that runs this by default.
    type: str
  group:
    description: Group of what is made here; likewise.
    type: str
  mode:
    description: Mode of the files.
    type: str
    default: "0644"
  directory_mode:
    description: Mode of the directories; without it existing ones are left as they are.
    type: str
  validate:
    description: Command that takes the new files' paths before any of them lands.
    type: list
    elements: str
    default: []
"""


class Directory:
    """The files of one directory, with one owner, group and mode for all."""

    def __init__(self, module):
        given = module.params
        self.module = module
        self.path = given["path"]
        self.files = {name: encode(text) for name, text in given["files"].items()}
        self.uid = pwd.getpwnam(given["owner"]).pw_uid if given["owner"] else os.getuid()
        self.gid = grp.getgrnam(given["group"]).gr_gid if given["group"] else os.getgid()
        self.mode = int(given["mode"], 8)
        self.directory_mode = int(given["directory_mode"], 8) if given["directory_mode"] else None
        self.changed = []

    def directories(self):
        inner = {os.path.dirname(name) for name in self.files}
        return [self.path] + [os.path.join(self.path, name) for name in sorted(inner) if name]

    def make_directories(self):
        for path in self.directories():
            missing = not os.path.isdir(path)
            if missing and not self.module.check_mode:
                os.makedirs(path, mode=0o700)
            if missing or (self.directory_mode and self.differs(path, self.directory_mode)):
                self.changed.append(path)
                self.own(path, self.directory_mode or 0o755)

    def differs(self, path, mode):
        now = os.lstat(path)
        return (now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode)) != (self.uid, self.gid, mode)

    def own(self, path, mode):
        if not self.module.check_mode:
            os.chown(path, self.uid, self.gid)
            os.chmod(path, mode)

    def stale(self):
        """Names of files whose content differs, and of those that only need owner or mode."""
        content, ownership = [], []
        for name, wanted in sorted(self.files.items()):
            path = os.path.join(self.path, name)
            if not os.path.isfile(path) or os.path.islink(path) or read(path) != wanted:
                content.append(name)
            elif self.differs(path, self.mode):
                ownership.append(name)
        return content, ownership

    def write(self, names):
        """Write the new files beside their places, validate them together, move them in."""
        if self.module.check_mode or not names:
            return
        scratch = tempfile.mkdtemp(prefix=".loadgen-", dir=self.path)
        try:
            fresh = [self.write_one(scratch, name) for name in names]
            self.validate(fresh)
            for name, path in zip(names, fresh):
                os.rename(path, os.path.join(self.path, name))
        finally:
            shutil.rmtree(scratch)

    def write_one(self, scratch, name):
        path = os.path.join(scratch, name)
        if not os.path.isdir(os.path.dirname(path)):
            os.makedirs(os.path.dirname(path), mode=0o700)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(self.files[name])
        self.own(path, self.mode)
        return path

    def validate(self, paths):
        command = self.module.params["validate"]
        if not command:
            return
        code, output, errors = self.module.run_command(command + paths)
        if code != 0:
            self.module.fail_json(
                msg="{}: the new files were refused by {}: {}".format(
                    self.path, command[0], (errors or output).strip()
                )
            )

    def surplus(self):
        for directory in self.module.params["purge"]:
            top = os.path.join(self.path, directory)
            for name in sorted(os.listdir(top)) if os.path.isdir(top) else ():
                path = os.path.join(top, name)
                if os.path.isfile(path) and os.path.join(directory, name) not in self.files:
                    yield path


def encode(content):
    """Bytes of a file; Ansible turns a template that reads as JSON into the object itself."""
    if isinstance(content, str):
        return content.encode()
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def read(path):
    with open(path, "rb") as file:
        return file.read()


def main():
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "files": {"type": "dict", "required": True, "no_log": True},
            "purge": {"type": "list", "elements": "str", "default": []},
            "owner": {"type": "str"},
            "group": {"type": "str"},
            "mode": {"type": "str", "default": "0644"},
            "directory_mode": {"type": "str"},
            "validate": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        directory = Directory(module)
        directory.make_directories()
        content, ownership = directory.stale()
        surplus = list(directory.surplus())
        directory.write(content)
        for name in ownership:
            directory.own(os.path.join(directory.path, name), directory.mode)
        for path in surplus if not module.check_mode else ():
            os.remove(path)
    except (IOError, OSError) as error:
        module.fail_json(
            msg="{}: {}; make room or mend the file system there, then run this again".format(
                error.filename or module.params["path"], error.strerror
            )
        )
    except KeyError as error:
        module.fail_json(msg="{}: {}".format(module.params["path"], error.args[0]))
    changed = directory.changed + content + ownership + surplus
    module.exit_json(changed=bool(changed), paths=changed)


if __name__ == "__main__":
    main()
