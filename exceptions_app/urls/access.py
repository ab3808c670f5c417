"""Who has which access."""

from django.urls import URLPattern, path

from exceptions_app.views import access

urlpatterns: list[URLPattern] = [
    path("access/", access.access, name="access"),
    path("access/export/", access.access_export, name="access_export"),
]
