"""The site's one application."""

from django.apps import AppConfig


class Site(AppConfig):
    """Entries, in a table named `site_entry`."""

    name = "loadgen.simulators.django_site"
    label = "site"
