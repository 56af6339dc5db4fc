"""The form of a new entry."""

from django.forms import ModelForm

from loadgen.simulators.django_site.models import Entry


class EntryForm(ModelForm):
    """What a user writes."""

    class Meta:
        """All but what the site knows itself."""

        model = Entry
        fields = ("title", "category", "body")
