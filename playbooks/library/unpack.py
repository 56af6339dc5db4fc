"""Unpack a tar archive that lies on the host, with modes that no umask and no archive decides.

Runs on a host's platform Python, 3.6 on RHEL 8, and needs no tar program.
"""

import os
import shutil
import tarfile

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: unpack
short_description: Unpack a tar archive in place of a directory
description:
  - The directory is replaced whole, and only once the new one is complete.
  - Directories and programs get mode 0755, other files 0644, the owner is who runs this, and
    SELinux gets the label that its policy has for each path.
options:
  src:
    description: The archive on the host, compressed or not.
    type: path
    required: true
  path:
    description: The directory.
    type: path
    required: true
  strip:
    description: Leading directories of each name that are left out.
    type: int
    default: 0
"""


OPEN = 0o755


class RefusedError(Exception):
    """An archive that can't be unpacked here; says why."""


def place(member, strip):
    """Path of a member inside the directory, or None for what `strip` leaves out."""
    words = [word for word in member.name.split("/") if word not in ("", ".")][strip:]
    if ".." in words or member.name.startswith("/"):
        raise RefusedError("{!r} would lie outside of the directory".format(member.name))
    return os.path.join(*words) if words else None


def points_inside(member, inner):
    target = os.path.normpath(os.path.join(os.path.dirname(inner), member.linkname))
    return not os.path.isabs(member.linkname) and target.split("/")[0] != ".."


def make_directory(path):
    if not os.path.isdir(path):
        make_directory(os.path.dirname(path))
        os.mkdir(path)
        os.chmod(path, OPEN)


def write(archive, member, inner, directory):
    path = os.path.join(directory, inner)
    make_directory(path if member.isdir() else os.path.dirname(path))
    if member.isfile():
        with archive.extractfile(member) as source, open(path, "wb") as file:
            shutil.copyfileobj(source, file)
        os.chmod(path, OPEN if member.mode & 0o111 else 0o644)
    elif member.issym() and points_inside(member, inner):
        os.symlink(member.linkname, path)
    elif not member.isdir():
        raise RefusedError("{!r} is no file, directory or link inside".format(member.name))


def unpack(src, directory, strip):
    make_directory(directory)
    with tarfile.open(src) as archive:
        for member in archive:
            inner = place(member, strip)
            if inner:
                write(archive, member, inner, directory)


def replace(path, fresh, old):
    if os.path.lexists(path):
        os.rename(path, old)
    os.rename(fresh, path)
    shutil.rmtree(old, ignore_errors=True)


def label(module, path):
    """Nothing to do without SELinux; needs no bindings of this Python."""
    if not module.selinux_enabled():
        return
    module.set_default_selinux_context(path, False)
    for directory, directories, files in os.walk(path):
        for name in directories + files:
            module.set_default_selinux_context(os.path.join(directory, name), False)


def main():
    module = AnsibleModule(
        argument_spec={
            "src": {"type": "path", "required": True},
            "path": {"type": "path", "required": True},
            "strip": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    path = module.params["path"].rstrip("/")
    fresh, old = path + ".new", path + ".old"
    if module.check_mode:
        module.exit_json(changed=True)
    try:
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
        unpack(module.params["src"], fresh, module.params["strip"])
        replace(path, fresh, old)
    except (RefusedError, tarfile.TarError, EOFError) as error:
        module.fail_json(msg="{}: {}".format(module.params["src"], error))
    except (IOError, OSError) as error:
        module.fail_json(
            msg="{}: {}; make room or mend the file system there, then run this again".format(
                error.filename or path, error.strerror or error
            )
        )
    label(module, path)
    module.exit_json(changed=True, path=path)


if __name__ == "__main__":
    main()
