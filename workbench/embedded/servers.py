"""PostgreSQL and Valkey of one installation: the servers that the environment names, else our own."""

import os
import sys

from cryptography.fernet import Fernet

from workbench.embedded.home import Home
from workbench.embedded.postgres import APPLICATION, OWNER, Postgres
from workbench.embedded.process import Process
from workbench.embedded.valkey import Valkey


def is_set(name: str) -> bool:
    """Tell whether the operator gave a value, as NAME or as NAME_FILE."""
    return bool(os.environ.get(name, "").strip() or os.environ.get(f"{name}_FILE", "").strip())


class Servers:
    """What the environment names is used and never started or stopped."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.postgres = None if is_set("DATABASE_URL") else Postgres(home)
        self.valkey = None if is_set("REDIS_URL") else Valkey(home)

    def start(self) -> None:
        if self.postgres:
            self.postgres.start()
        if self.valkey:
            self.valkey.start()

    def stop(self) -> None:
        """Stop what was started, the database last."""
        if self.valkey:
            self.valkey.stop()
        if self.postgres:
            self.postgres.stop()
        self.home.remove_outside_sockets()

    def processes(self) -> list[Process]:
        return [server.process for server in (self.postgres, self.valkey) if server]

    def environment(self) -> dict[str, str]:
        """Return the variables that lead other processes of this installation to the servers."""
        found = {
            "DJANGO_SETTINGS_MODULE": "workbench.settings",
            "WB_HOME": str(self.home.path),
            "WB_PROFILE": os.environ.get("WB_PROFILE", "").strip() or "development",
        }
        if self.postgres:
            found |= {"DATABASE_URL": self.postgres.url(APPLICATION), "DATABASE_OWNER_URL": self.postgres.url(OWNER)}
        if self.valkey:
            found["REDIS_URL"] = self.valkey.url()
        embedded = [process.name for process in self.processes()]
        if embedded:
            found["WB_EMBEDDED"] = ",".join(embedded)
        if found["WB_PROFILE"] != "production":
            if not is_set("SECRET_KEY"):
                found["SECRET_KEY_FILE"] = str(self.home.secret_file("secret-key"))
            if not is_set("FIELD_ENCRYPTION_KEYS"):
                keys = self.home.secret_file("field-encryption-keys", make=lambda: Fernet.generate_key().decode())
                found["FIELD_ENCRYPTION_KEYS_FILE"] = str(keys)
        return found


def python(*arguments: str) -> list[str]:
    """Return the command line for a module or script of this installation."""
    return [sys.executable, *arguments]
