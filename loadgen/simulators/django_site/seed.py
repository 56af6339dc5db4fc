"""The site's first content: the accounts of `loadgen/simulators/accounts.csv`, seeded entries."""

import random

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User

from loadgen.simulators import accounts
from loadgen.simulators.django_site.models import CATEGORIES, Entry

ENTRIES = 400
_WORDS = """access budget campus delivery energy frame garden harbour index journal kitchen lecture
market network orchard parcel quarter report station theatre update village winter"""


def fill(seed: int) -> None:
    """Create the accounts and the entries."""
    source = random.Random(seed)
    words = _WORDS.split()
    # One hash for the shared password: a thousand would take half a minute.
    hashed = make_password(accounts.password())
    users = User.objects.bulk_create(
        [User(username=name, email=name, password=hashed) for name in accounts.load()]
    )
    Entry.objects.bulk_create(
        Entry(
            title=" ".join(source.choices(words, k=4)).capitalize(),
            category=source.choice(CATEGORIES),
            body=" ".join(source.choices(words, k=60)),
            author=source.choice(users),
        )
        for _ in range(ENTRIES)
    )
