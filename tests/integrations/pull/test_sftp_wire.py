import re
import time
from datetime import timedelta
from pathlib import Path

import pytest

from audit.queries import timeline
from integrations.models import InboxMessage
from tests.arrivals import configure
from tests.cast import MORNING, Cast
from tests.integrations.pull.sources import drop, pull, sftp_source, waits_for
from tests.sftp_server import USER, SftpServer, new_key, sftp_server

pytestmark = pytest.mark.django_db


def test_sign_in_by_private_key(cast: Cast, server: SftpServer, out: Path):
    drop(out)
    pull(sftp_source(cast, server, secret=server.private_key, sign_in="key"))
    assert (InboxMessage.objects.count(), server.attempts) == (1, [USER])


def test_changed_host_key_is_refused_before_anything_is_said(cast: Cast, server: SftpServer, out: Path):
    drop(out)
    source = sftp_source(cast, server, host_keys=["SHA256:" + "A" * 43])
    assert pull(source) is None
    assert (server.attempts, server.operations, InboxMessage.objects.count()) == ([], [], 0)
    assert source.paused_at == MORNING
    assert server.host_key in source.paused_because
    event = timeline("pull_source:partner")[-1]
    assert (event.action, event.actor, event.actor_kind) == ("pull_source.paused", "pull:partner", "machine")


def test_second_pinned_key_is_good_while_it_is_changed(cast: Cast, server: SftpServer, out: Path):
    drop(out)
    pull(sftp_source(cast, server, host_keys=["SHA256:" + "A" * 43, server.host_key]))
    assert InboxMessage.objects.count() == 1


@pytest.mark.parametrize("sign_in", ["password", "key"])
def test_refused_sign_in_pauses_and_is_not_tried_again(cast: Cast, server: SftpServer, out: Path, sign_in: str):
    source = sftp_source(cast, server, secret=new_key() if sign_in == "key" else "wrong", sign_in=sign_in)
    pull(source)
    tried = len(server.attempts)
    pull(source)
    assert (source.is_paused, len(server.attempts), source.failures) == (True, tried, 1)
    assert source.paused_because.startswith(f"The server refused the sign-in of {USER}. Mend the")
    assert "wrong" not in source.paused_because


def test_secret_that_is_no_key_pauses(cast: Cast, server: SftpServer, out: Path):
    source = sftp_source(cast, server, secret="no key", sign_in="key")
    pull(source)
    assert (source.is_paused, server.attempts) == (True, [])
    assert source.paused_because.startswith("The secret is no private key")


def test_server_that_says_nothing_is_given_up(cast: Cast, tmp_path: Path):
    configure(cast.connection, timeout_seconds=1)
    with sftp_server(tmp_path, silent=True) as silent:
        source = sftp_source(cast, silent)
        pull(source)
    assert (source.failures, source.is_paused) == (1, False)
    assert re.match(r"The server (said nothing for 1 seconds|cannot be used: .*banner)", source.last_problem)


def test_server_that_hangs_in_the_middle_is_given_up(cast: Cast, server: SftpServer, out: Path):
    configure(cast.connection, timeout_seconds=1)
    drop(out)
    server.accidents["list"] = lambda _: time.sleep(3)
    source = sftp_source(cast, server)
    pull(source)
    assert (source.failures, source.last_problem) == (1, "The server said nothing for 1 seconds.")


def test_server_that_is_away_is_tried_later(cast: Cast, tmp_path: Path):
    with sftp_server(tmp_path) as gone:
        source = sftp_source(cast, gone)
    pull(source)
    assert (source.failures, source.is_paused, source.last_problem[:14]) == (1, False, "No connection:")
    assert timedelta(seconds=220) < waits_for(source) <= timedelta(seconds=375)


def test_folder_that_is_not_there_is_said(cast: Cast, server: SftpServer, out: Path):
    source = sftp_source(cast, server, folder="/elsewhere/out")
    pull(source)
    assert (source.failures, "cannot be used" in source.last_problem) == (1, True)


def test_address_that_may_not_be_spoken_to_is_refused(cast: Cast, server: SftpServer, settings):
    settings.INTEGRATIONS_ALLOW_LOOPBACK = False
    source = sftp_source(cast, server)
    pull(source)
    assert (server.attempts, "INTEGRATIONS_ALLOW_LOOPBACK" in source.last_problem) == ([], True)


def test_secret_is_in_no_event_and_no_history(cast: Cast, server: SftpServer):
    source = sftp_source(cast, server)
    told = " ".join(str(event.data) + event.summary for event in timeline("pull_source:partner"))
    assert ("password-of-the-server" in told, "replaced" in told) == (False, True)
    assert "secret" not in {field.name for field in source.history.model._meta.fields}
