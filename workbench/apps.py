import gc

from django.apps import AppConfig
from django.conf import settings

from workbench import checks
from workbench.languages import compile_catalogues

__all__ = ["WorkbenchConfig", "checks"]


class WorkbenchConfig(AppConfig):
    name = "workbench"
    verbose_name = "Workbench"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Before anything is translated: whatever began this process, it reads the catalogue of these sources.

        From here on garbage is collected, of what is not loaded yet.
        """
        compile_catalogues(settings.CATALOGUES, settings.LOCALE_PATHS[0])
        gc.freeze()
        gc.enable()
