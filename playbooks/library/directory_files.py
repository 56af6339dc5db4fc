"""Hold a set of small files in one directory: one call instead of one task a file.

Runs on a host's platform Python, 3.6 on RHEL 8.
"""

import binascii
import contextlib
import errno
import grp
import json
import os
import pwd
import stat

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
    """The files of one directory, with one owner, group and mode for all.

    The directory may belong to a user who puts links there while this runs as root. So a place is
    an open directory and a name in it, never a path; links are not followed, new files are made by
    nobody else, and owners are given to open files.
    """

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
        self.opened = {}

    def directories(self):
        inner = {os.path.dirname(name) for name in self.files}
        return [""] + sorted(name for name in inner if name)

    def make_directories(self):
        for name in self.directories():
            path = os.path.join(self.path, name).rstrip("/")
            missing = self.inside(name) is None
            if missing and not self.module.check_mode:
                self.opened[name] = open_directory(path, make=True)
            directory = self.inside(name)
            if missing or (self.directory_mode and self.differs(directory, self.directory_mode)):
                self.changed.append(path)
                self.own(directory, self.directory_mode or 0o755)

    def inside(self, name):
        """Return the open directory of that name below the path; None where there is none."""
        if self.opened.get(name) is None:
            try:
                self.opened[name] = open_directory(os.path.join(self.path, name).rstrip("/"))
            except Missing:
                return None
        return self.opened[name]

    def differs(self, descriptor, mode):
        now = os.fstat(descriptor)
        return (now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode)) != (self.uid, self.gid, mode)

    def own(self, descriptor, mode):
        if not self.module.check_mode:
            os.fchown(descriptor, self.uid, self.gid)
            os.fchmod(descriptor, mode)

    def hold(self):
        """Bring every file to its content, owner and mode; return the names of those that differed.

        New files are written beside their places, validated together, and moved in.
        """
        stale = [name for name in sorted(self.files) if self.is_stale(name)]
        if stale and not self.module.check_mode:
            self.write(stale)
        return stale + [name for name in sorted(set(self.files) - set(stale)) if self.mend(name)]

    def is_stale(self, name):
        """Tell whether a file has to be written anew."""
        with self.plain(name) as file:
            if file is None:
                return True
            return file.read(len(self.files[name]) + 1) != self.files[name]

    def mend(self, name):
        """Give a file its owner and mode; tell whether it had others."""
        with self.plain(name) as file:
            if file is None or not self.differs(file.fileno(), self.mode):
                return False
            self.own(file.fileno(), self.mode)
            return True

    @contextlib.contextmanager
    def plain(self, name):
        """Give the open file of that name; None when there is none, or no plain one of its own.

        A second name may be that of somebody else's file, which is given to nobody.
        """
        directory = self.inside(os.path.dirname(name))
        try:
            if directory is None:
                raise FileNotFoundError(errno.ENOENT, "is missing", name)
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(os.path.basename(name), flags, dir_fd=directory)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
                raise
            yield None
            return
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            try:
                found = os.fstat(descriptor)
                yield file if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 else None
            finally:
                os.close(descriptor)

    def write(self, names):
        top = self.inside("")
        scratch = ".loadgen-{}".format(binascii.hexlify(os.urandom(8)).decode())
        os.mkdir(scratch, 0o700, dir_fd=top)
        inside = os.open(scratch, DIRECTORY, dir_fd=top)
        try:
            fresh = [self.write_one(inside, name) for name in names]
            self.validate([os.path.join(self.path, scratch, name) for name in fresh])
            for name, given in zip(names, fresh):
                place = self.inside(os.path.dirname(name))
                target = os.path.basename(name)
                os.rename(given, target, src_dir_fd=inside, dst_dir_fd=place)
        finally:
            for name in os.listdir(inside):
                os.unlink(name, dir_fd=inside)
            os.close(inside)
            with contextlib.suppress(OSError):
                os.rmdir(scratch, dir_fd=top)

    def write_one(self, scratch, name):
        """Write a file into the scratch directory, under its own name as a validation needs it."""
        given = os.path.basename(name)
        while given in os.listdir(scratch):
            given = "x" + given
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        descriptor = os.open(given, flags, 0o600, dir_fd=scratch)
        with os.fdopen(descriptor, "wb") as file:
            file.write(self.files[name])
            file.flush()
            self.own(descriptor, self.mode)
        return given

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

    def purge(self):
        """Remove the files that don't belong; return their names."""
        gone = []
        for name in self.module.params["purge"]:
            directory = self.inside(name)
            for file in sorted(os.listdir(directory)) if directory is not None else ():
                known = os.path.join(name, file) in self.files
                kind = os.stat(file, dir_fd=directory, follow_symlinks=False).st_mode
                if not known and not stat.S_ISDIR(kind):
                    gone.append(os.path.join(name, file))
                    if not self.module.check_mode:
                        os.unlink(file, dir_fd=directory)
        return gone


class Missing(Exception):  # noqa: N818  a state of the host, not a fault
    """There is no such directory."""


DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def open_directory(path, make=False):
    """Open a directory step by step. Missing: it is not there, and not to be made.

    A link on the way counts where root put it, and is refused where somebody else could have.
    """
    here = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in [part for part in path.split("/") if part]:
            flags = DIRECTORY & ~os.O_NOFOLLOW if is_trusted(here) else DIRECTORY
            try:
                deeper = os.open(name, flags, dir_fd=here)
            except OSError as error:
                if error.errno != errno.ENOENT:
                    raise OSError(error.errno, os.strerror(error.errno), path) from error
                if not make:
                    raise Missing() from error
                os.mkdir(name, 0o755, dir_fd=here)
                deeper = os.open(name, DIRECTORY, dir_fd=here)
                os.fchmod(deeper, 0o755)  # whatever the login's umask is
            os.close(here)
            here = deeper
    except BaseException:
        os.close(here)
        raise
    return here


def is_trusted(descriptor):
    """Tell whether nobody but root and we ourselves can make names in a directory."""
    found = os.fstat(descriptor)
    return found.st_uid in (0, os.getuid()) and not found.st_mode & 0o022


def encode(content):
    """Bytes of a file; Ansible turns a template that reads as JSON into the object itself."""
    if isinstance(content, str):
        return content.encode()
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


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
        held = directory.hold()
        purged = directory.purge()
    except (IOError, OSError) as error:
        module.fail_json(
            msg="{}: {}; make room or mend the file system there, then run this again".format(
                error.filename or module.params["path"], error.strerror
            )
        )
    except KeyError as error:
        module.fail_json(msg="{}: {}".format(module.params["path"], error.args[0]))
    changed = directory.changed + held + purged
    module.exit_json(changed=bool(changed), paths=changed)


if __name__ == "__main__":
    main()
