"""The composition root: settings, URLs, Celery, users, embedded servers, operator commands. Decides nothing."""

from workbench.celery import app as celery_app

__all__ = ["celery_app"]
