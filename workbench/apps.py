from django.apps import AppConfig

from workbench import checks

__all__ = ["WorkbenchConfig", "checks"]


class WorkbenchConfig(AppConfig):
    name = "workbench"
    verbose_name = "Workbench"
    default_auto_field = "django.db.models.BigAutoField"
