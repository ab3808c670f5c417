"""The installation as a newcomer meets it: the demonstration, its people, its simulator, the sign-in page."""

import re

import psycopg
import pytest
import requests
from playwright.sync_api import Browser

from tests.stack import RunningStack

TIMEOUT = 10
ROLES = [
    "clerk", "accountant", "treasurer", "controller", "director", "support", "auditor", "administrator", "deputy",
    "standby",
]  # fmt: skip


@pytest.mark.stack
def test_start_prints_the_address_and_a_login_for_each_role(stack: RunningStack) -> None:
    ready, _, logins = stack.output().partition(f"ready {stack.url}\n")[0:3]
    assert ready != stack.output()
    assert re.findall(r"^ +(\w+) +password \S+", logins, re.MULTILINE) == ROLES


@pytest.mark.stack
def test_simulator_killed_comes_back_where_it_was(stack: RunningStack) -> None:
    where = stack.simulator_url
    before = stack.kill("simulator")
    stack.wait_until(lambda: stack.pids()["simulator"] not in {before, None})
    assert stack.simulator_url == where

    def answers() -> bool:
        try:
            return requests.get(where, timeout=TIMEOUT).status_code < 500
        except requests.ConnectionError:
            return False

    stack.wait_until(answers)


@pytest.mark.stack
@pytest.mark.browser
def test_sign_in_page_opens_and_breaks_no_rule_of_its_own_policy(stack: RunningStack, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    response = page.goto(stack.url)
    assert response is not None
    assert response.status == 200
    assert page.locator("input[name=username]").count() == 1
    assert problems == []
    context.close()


def test_application_role_may_neither_make_nor_empty_a_table(app_role_connection: psycopg.Connection) -> None:
    for statement in (
        "CREATE TABLE mine (id int)",
        "TRUNCATE django_session",
        "ALTER TABLE django_session DROP COLUMN session_data",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app_role_connection.execute(statement)
    assert app_role_connection.execute("SELECT count(*) FROM django_session").fetchone() == (0,)
