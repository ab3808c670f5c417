"""The addresses of the pages, one file for each kind of page."""

from django.urls import include, path

app_name = "exceptions"

urlpatterns = [
    path("", include("exceptions_app.urls.lists")),
    path("", include("exceptions_app.urls.case")),
    path("", include("exceptions_app.urls.evidence")),
    path("", include("exceptions_app.urls.mappings")),
    path("", include("exceptions_app.urls.causes")),
    path("", include("exceptions_app.urls.bulk")),
    path("", include("exceptions_app.urls.access")),
]
