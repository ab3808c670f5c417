"""The audit trail, intake failures and connections."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
