import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workbench.settings")

application = get_wsgi_application()
# Where the server forks its workers afterwards, all that they need is loaded once, and its memory stays shared.
get_resolver().url_patterns  # noqa: B018 - reading it loads the views
gc.collect()
gc.freeze()
