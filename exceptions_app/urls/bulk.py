"""One action on many exceptions: what is ticked, the preview, and what was started."""

from django.urls import URLPattern, path

from exceptions_app.views import bulk_new, bulk_runs, bulk_select

urlpatterns: list[URLPattern] = [
    path("bulk/", bulk_runs.bulk_runs, name="bulk_runs"),
    path("bulk/selection/", bulk_select.bulk_selection, {"ref": "bulk"}, name="bulk_selection"),
    path("bulk/new/", bulk_new.bulk_new, name="bulk_new"),
    path("bulk/new/preview/", bulk_new.bulk_preview, {"ref": "new"}, name="bulk_preview"),
    path("bulk/new/start/", bulk_new.bulk_start, {"ref": "new"}, name="bulk_start"),
    path("bulk/<str:ref>/", bulk_runs.bulk_run, name="bulk_run"),
    path("bulk/<str:ref>/outcomes/", bulk_runs.bulk_outcomes, name="bulk_outcomes"),
    path("bulk/<str:ref>/pause/", bulk_runs.pause, name="bulk_pause"),
    path("bulk/<str:ref>/resume/", bulk_runs.resume, name="bulk_resume"),
    path("bulk/<str:ref>/cancel/", bulk_runs.cancel, name="bulk_cancel"),
]
