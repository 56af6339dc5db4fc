"""The site's password hash: Argon2id at OWASP's minimum (19 MiB, 2 passes, 1 lane).

Django's default takes 100 MiB and 8 lanes a login, more than a machine that also generates the
load should give to a simulated target.
"""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2(Argon2PasswordHasher):
    """Argon2id, 19 MiB."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
