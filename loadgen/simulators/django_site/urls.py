"""The site's paths."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path
from django.views.static import serve
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView

from loadgen.simulators.django_site import api, views
from loadgen.simulators.django_site.settings import HERE

urlpatterns = [
    path("", views.index, name="index"),
    path("accounts/login/", LoginView.as_view(), name="login"),
    path("accounts/logout/", LogoutView.as_view(next_page="index"), name="logout"),
    path("lists/<slug:variant>/", views.entries, name="list"),
    path("entries/new/", views.new_entry, name="new"),
    path("entries/<int:number>/", views.entry, name="entry"),
    path("api/token/", TokenObtainPairView.as_view()),
    path("api/token/refresh/", TokenRefreshView.as_view()),
    path("api/entries/", api.Entries.as_view()),
    path("static/<path:path>", serve, {"document_root": HERE / "static"}),
]
