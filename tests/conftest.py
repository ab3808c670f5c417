import gc
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest
from django.conf import settings
from playwright.sync_api import Browser, expect, sync_playwright
from pytest_django import DjangoDbBlocker

from exceptions_app import limits
from integrations import doorbell
from tests import guards
from tests.cast import Cast, make_cast
from tests.cast_template import take_template
from tests.connecting import connect
from tests.emptying import Emptying
from tests.migrated_once import copy_what_is_migrated
from tests.rendering import keep_contexts_of_pages_alone
from tests.simulator_process import simulator, simulator_process
from tests.stack import RunningStack
from tests.vacuuming import Vacuum

__all__ = ["simulator", "simulator_process"]

CHROMIUM = Path("/usr/bin/chromium")
LONGEST_NAME = 200  # characters of a value that names a test
SLOW = 30_000  # milliseconds: these machines are noisy
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

# How fast an example is made and run says something about the machine, and nothing about the product.
hypothesis.settings.register_profile(
    "workbench", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("workbench")


FEW = 3
"""How many of the parameters of a test that is marked `alike` are tried on every engine."""
PAGES = ("tests/exceptions_app/views/", "tests/exceptions_app/api/")
FEW_OF_A_PAGE = 6
"""How many tests of each file of PAGES are: they ask by way of rooms that have tests of their own on every engine."""
REACHING_SERVERS = frozenset({"db", "transactional_db", "live_server", "stack"})
STARTED = pytest.StashKey[RunningStack]()
"""The installation of this process, once a test has asked for it."""
VACUUM = Vacuum()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by what it asks for, so that `-m` takes or leaves all tests of a kind and no list of them is kept.

    With xdist, tests that share the installation or the browser run in one process, so that there is one of each. What
    takes long has a group of its own: the rest would wait for it at the end.
    """
    met: Counter[str] = Counter()
    for item in items:
        fixtures = frozenset(getattr(item, "fixturenames", ()))
        if "browser" in fixtures:
            item.add_marker(pytest.mark.browser)
        if fixtures & REACHING_SERVERS or any(item.iter_markers("django_db")) or any(item.iter_markers("stack")):
            item.add_marker(pytest.mark.servers)
        if fixtures & {"stack", "browser"} and not any(item.iter_markers("xdist_group")):
            item.add_marker(pytest.mark.xdist_group("stack"))
        file, _, test = item.nodeid.partition("[")[0].partition("::")
        if any(item.iter_markers("alike")):
            met[f"{file}::{test}"] += 1
            if met[f"{file}::{test}"] > FEW:
                item.add_marker(pytest.mark.one_engine)
        if file.startswith(PAGES) and not any(item.iter_markers("one_engine")):
            met[file] += 1
            if met[file] > FEW_OF_A_PAGE:
                item.add_marker(pytest.mark.one_engine)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A whole document is no name; and one that each process makes for itself would be another test in each."""
    return argname if isinstance(val, str | bytes) and len(val) > LONGEST_NAME else None


def pytest_collection_finish(session: pytest.Session) -> None:
    """What was imported and collected is there to the end: the collector need not look through it after each test."""
    gc.collect()
    gc.freeze()
    grouped = [item for item in session.items if any(item.iter_markers("xdist_group"))]
    if getattr(session.config.option, "loadgroup", False) and not all("@" in item.nodeid for item in grouped):
        # As with pytest 9.2 and pytest-xdist 3.8: installations and browsers would be started by every process.
        raise pytest.UsageError("This pytest-xdist does not keep the groups of tests together.")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    started = item.config.stash.get(STARTED, None)
    if started is not None and not started.is_up and "stack" in getattr(item, "fixturenames", ()):
        started.start()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """The installation ends with the group that asked for it: it looks for work all the time, a tenth of a processor.

    Where one process has all tests, groups come and go, and it stays.
    """
    yield
    started = item.config.stash.get(STARTED, None)
    is_last_of_group = nextitem is not None and _group_of(item) != _group_of(nextitem)
    if started is not None and started.is_up and is_last_of_group and hasattr(item.config, "workerinput"):
        started.stop()
    if nextitem is not None:  # after the last one the database is gone
        VACUUM.after(item)


def _group_of(item: pytest.Item) -> str:
    marker = item.get_closest_marker("xdist_group")
    return str(marker.args[0]) if marker is not None else ""


@pytest.fixture(scope="session", autouse=True)
def contexts_of_pages_alone(django_test_environment: None) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        keep_contexts_of_pages_alone(patch)
        yield


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings: None, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> None:
    """Where several processes share the tests, they share what the migrations made too."""
    if hasattr(request.config, "workerinput"):
        with django_db_blocker.unblock():
            copy_what_is_migrated()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """pytest-django's own, and how tests that commit are followed by an empty database."""
    with pytest.MonkeyPatch.context() as patch:
        with django_db_blocker.unblock():
            if guards.may_pass():
                Emptying().take_place_of_truncating(patch)
        yield


@pytest.fixture(scope="session")
def new_cast(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Callable[[], Cast]:
    """Sets up the cast of `tests.cast`: by the actions once, and from then on by writing the rows that they wrote."""
    with django_db_blocker.unblock():
        return take_template().copy if guards.may_pass() else make_cast


@pytest.fixture(autouse=True)
def nothing_has_failed_before() -> None:
    """Broker and cache are tried at once, whatever an earlier test did to them."""
    for breaker in (doorbell.breaker, limits.breaker):
        breaker.close()


@pytest.fixture
def app_role_connection(transactional_db: None) -> Iterator[psycopg.Connection]:
    """A connection of its own to the test database, as the role that serves: it sees and makes what is committed."""
    serving = settings.APPLICATION_DATABASE
    if serving["USER"] == settings.OWNER_DATABASE["USER"]:
        pytest.skip("DATABASE_OWNER_URL is not set, so there is no application role with fewer rights.")
    with connect(serving) as opened:
        yield opened


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config) -> Iterator[RunningStack]:
    """The whole installation, started once for all tests that ask for it. They leave it running and usable."""
    directory = Path(tempfile.mkdtemp(prefix="wb-stack-", dir="/tmp"))
    running = RunningStack(directory / "a home")
    try:
        running.start()
        pytestconfig.stash[STARTED] = running
        yield running
    finally:
        running.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real Chromium. Without one the test is skipped, or fails when WB_REQUIRE_BROWSER=1 forbids that."""
    if not CHROMIUM.exists():
        message = f"There is no Chromium at {CHROMIUM}. On Debian: apt-get install chromium."
        if os.environ.get("WB_REQUIRE_BROWSER") == "1":
            pytest.fail(message)
        pytest.skip(message)
    # Five seconds are the library's own: too few for a long page on a machine that is busy with other tests.
    expect.set_options(timeout=SLOW)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield launched
        launched.close()
