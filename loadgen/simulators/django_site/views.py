"""The site's pages."""

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from loadgen.simulators.django_site.forms import EntryForm
from loadgen.simulators.django_site.models import Entry

ORDERS = {
    "recent": ("-created", "-id"),
    "titles": ("title", "id"),
    "categories": ("category", "title", "id"),
    "authors": ("author__username", "-id"),
}
PAGE_SIZE = 25


def index(request: HttpRequest) -> HttpResponse:
    """Show how many entries there are, by category."""
    counts = Entry.objects.order_by().values("category").annotate(count=Count("id"))
    return render(request, "index.html", {"counts": counts, "variants": ORDERS})


@login_required
def entries(request: HttpRequest, variant: str) -> HttpResponse:
    """List entries in one of four orders."""
    if variant not in ORDERS:
        raise Http404(variant)
    found = Entry.objects.select_related("author").order_by(*ORDERS[variant])
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "list.html", {"variant": variant, "page": page})


@login_required
def entry(request: HttpRequest, number: int) -> HttpResponse:
    """Show one entry."""
    return render(request, "entry.html", {"entry": get_object_or_404(Entry, id=number)})


@login_required
def new_entry(request: HttpRequest) -> HttpResponse:
    """Show the form, or store what it sent and go to the new entry."""
    form = EntryForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.instance.author = request.user
        made = form.save()
        return redirect("entry", number=made.id)
    return render(request, "form.html", {"form": form})
