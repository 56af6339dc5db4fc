"""The site's JSON API."""

from rest_framework.generics import ListCreateAPIView
from rest_framework.serializers import BaseSerializer, CharField, ModelSerializer

from loadgen.simulators.django_site.models import Entry


class EntrySerializer(ModelSerializer):
    """An entry; its author is who sends it."""

    author = CharField(source="author.username", read_only=True)

    class Meta:
        """Every field."""

        model = Entry
        fields = ("id", "title", "category", "body", "author", "created")


class Entries(ListCreateAPIView):
    """`GET` lists entries by pages of 20, `POST` makes one."""

    queryset = Entry.objects.select_related("author").order_by("-created", "-id")
    serializer_class = EntrySerializer

    def perform_create(self, serializer: BaseSerializer) -> None:
        """Store the entry as the caller's."""
        serializer.save(author=self.request.user)
