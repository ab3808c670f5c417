from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cast import cast
from tests.sftp_server import SftpServer, sftp_server

__all__ = ["cast"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SftpServer]:
    with sftp_server(tmp_path) as running:
        (tmp_path / "out").mkdir()
        yield running


@pytest.fixture
def out(server: SftpServer) -> Path:
    return server.root / "out"
