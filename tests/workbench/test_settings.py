"""The settings file is read once per process, so each case is a process of its own."""

import subprocess
import sys

import pytest

from tests.stack import ROOT, clean_environment

PRODUCTION = {
    "WB_PROFILE": "production",
    "SECRET_KEY": "an example of more than fifty characters, 0123456789",
    "ALLOWED_HOSTS": "workbench.example",
    "DATABASE_URL": "postgresql://application@db.example/workbench",
    "DATABASE_OWNER_URL": "postgresql://owner@db.example/workbench",
    "REDIS_URL": "redis://broker.example:6379/0",
    "FIELD_ENCRYPTION_KEYS": "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=",
    "AUDIT_SIGNING_KEY": "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=",
}


def django(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=clean_environment(**variables),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "missing", ["SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "FIELD_ENCRYPTION_KEYS", "AUDIT_SIGNING_KEY"]
)
def test_production_without_a_required_variable_says_which(missing: str) -> None:
    refused = django("check", **{name: value for name, value in PRODUCTION.items() if name != missing})
    assert refused.returncode == 1
    assert f"{missing} is not set. Set {missing} (or {missing}_FILE) to " in refused.stderr


def test_production_passes_the_deployment_checks() -> None:
    checked = django("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_production_keeps_cookies_to_this_host_and_to_tls() -> None:
    names = ("SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "COOKIE_PREFIX", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE",
             "SESSION_COOKIE_HTTPONLY", "CSRF_COOKIE_HTTPONLY", "SESSION_COOKIE_SAMESITE", "CSRF_COOKIE_SAMESITE",
             "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS", "SECURE_HSTS_INCLUDE_SUBDOMAINS", "DEBUG")  # fmt: skip
    shown = django("diffsettings", "--all", **PRODUCTION).stdout.splitlines()
    told = dict(line.strip("# ").split(" = ", 1) for line in shown if " = " in line)
    assert [told[name] for name in names] == [
        "'__Host-sessionid'", "'__Host-csrftoken'", "'__Host-'", "True", "True", "True", "True", "'Lax'", "'Lax'",
        "True", "31536000", "True", "False",
    ]  # fmt: skip
    assert "Argon2" in told["PASSWORD_HASHERS"].partition(",")[0]


def test_production_refuses_embedded_servers_for_other_hosts() -> None:
    checked = django("check", "--deploy", **PRODUCTION, WB_EMBEDDED="postgres,valkey")
    assert checked.returncode == 1
    assert "(workbench.E001) Embedded postgres and valkey serve workbench.example." in checked.stderr


def test_one_database_role_is_a_warning() -> None:
    variables = {name: value for name, value in PRODUCTION.items() if name != "DATABASE_OWNER_URL"}
    checked = django("check", "--deploy", **variables)
    assert checked.returncode == 0
    assert "(workbench.W001) The application serves as application, the role that owns its tables" in checked.stderr


def test_issuer_is_the_same_with_a_slash_at_its_end() -> None:
    shown = django("diffsettings", "--all", WB_OIDC_ISSUER="https://issuer.example/realm//")
    assert "OIDC_ISSUER = 'https://issuer.example/realm'" in shown.stdout


def test_unknown_profile_is_refused() -> None:
    refused = django("check", WB_PROFILE="prod")
    assert refused.returncode == 1
    assert "WB_PROFILE='prod' is not known. Write one of: development, test, production." in refused.stderr


def test_schema_commands_connect_as_the_owner() -> None:
    script = (
        "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'workbench.settings';"
        "from django.conf import settings; print(settings.DATABASES['default']['USER'])"
    )
    users = [
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env=clean_environment(**PRODUCTION, **variables),
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for variables in ({}, {"WB_DATABASE_ROLE": "owner"})
    ]
    assert users == ["application", "owner"]
