"""What many exceptions have in common."""

from django.urls import URLPattern, path

from exceptions_app.views import cause, causes

urlpatterns: list[URLPattern] = [
    path("causes/", causes.causes, name="causes"),
    path("causes/<str:ref>/", cause.cause, name="cause"),
    path("causes/<str:ref>/note/", cause.note, name="cause_note"),
    path("causes/<str:ref>/owner/", cause.owner, name="cause_owner"),
]
