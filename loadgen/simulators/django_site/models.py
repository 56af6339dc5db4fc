"""What the site keeps."""

from django.conf import settings
from django.db import models

CATEGORIES = ("report", "notice", "question", "record")


class Entry(models.Model):
    """A short text by a user."""

    title = models.CharField(max_length=120)
    category = models.CharField(max_length=20, choices=[(c, c) for c in CATEGORIES])
    body = models.TextField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    created = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        """Newest first."""

        ordering = ("-created", "-id")

    def __str__(self) -> str:
        return str(self.title)
