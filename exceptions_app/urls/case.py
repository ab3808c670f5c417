"""One exception: its page and one address for each action."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
