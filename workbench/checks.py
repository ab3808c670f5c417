"""System checks of the composition: what an operator should know before it hurts."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks


@checks.register(checks.Tags.security, deploy=True)
def embedded_servers_stay_local(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """The embedded servers have no TLS, no backup and no replica: fine for a laptop, not for a service."""
    del app_configs, kwargs
    strangers = sorted(set(settings.ALLOWED_HOSTS) - set(settings.LOCAL_HOSTS))
    if not settings.EMBEDDED_SERVERS or not strangers:
        return []
    return [
        checks.Error(
            f"Embedded {' and '.join(settings.EMBEDDED_SERVERS)} serve {', '.join(strangers)}.",
            hint="Set DATABASE_URL, DATABASE_OWNER_URL and REDIS_URL to servers that you back up and monitor.",
            id="workbench.E001",
        )
    ]


@checks.register(checks.Tags.security, deploy=True)
def application_role_is_not_the_owner(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Who owns a table can switch off its triggers, so the refusals of the database bind only another role."""
    del app_configs, kwargs
    application, owner = settings.APPLICATION_DATABASE.get("USER"), settings.OWNER_DATABASE.get("USER")
    if application != owner or not application:
        return []
    return [
        checks.Warning(
            f"The application serves as {application}, the role that owns its tables, so the refusals that the "
            "database makes are weaker.",
            hint="Set DATABASE_OWNER_URL to the role that owns the schema, and DATABASE_URL to one with less.",
            id="workbench.W001",
        )
    ]


@checks.register(checks.Tags.security, deploy=True)
def broker_is_configured(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Without a broker no worker hears anything, and rate limits hold for one process at a time."""
    del app_configs, kwargs
    if settings.REDIS_URL:
        return []
    return [checks.Error("REDIS_URL is not set.", hint="Write redis://HOST:6379/0.", id="workbench.E002")]


@checks.register(checks.Tags.security)
def somebody_can_sign_in(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Without passwords people come in by a provider, which has to be known with what it knows us by."""
    del app_configs, kwargs
    given = (settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET)
    if all(given) or (settings.LOCAL_PASSWORDS and not any(given)):
        return []
    hint = "Set WB_OIDC_ISSUER, WB_OIDC_CLIENT_ID and WB_OIDC_CLIENT_SECRET, or none of them and WB_LOCAL_PASSWORDS=on."
    return [checks.Error("Single sign-on is not set up completely.", hint=hint, id="workbench.E003")]
