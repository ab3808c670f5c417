"""How a file gets into an archive, whatever kind it is: once, never over another, and read back where it lies."""

from contextlib import AbstractContextManager
from typing import Protocol

from django.core.exceptions import ImproperlyConfigured

from integrations.archive_settings import FolderSettings, S3Settings, read_archive_settings
from integrations.archives.failures import ArchiveFailed
from integrations.archives.folder import folder_store
from integrations.archives.parcels import Parcel
from integrations.archives.s3 import s3_store
from integrations.archives.sftp import sftp_store
from integrations.models import Archive
from integrations.pull_settings import SettingsRefused

LONGEST = 600.0  # seconds for one attempt


class Store(Protocol):
    """An archive that is open. Each may raise ArchiveFailed and OSError."""

    def tidy(self, parcel: Parcel) -> None:
        """Remove what earlier attempts left half written."""

    def holds(self, parcel: Parcel) -> bool:
        """Whether it lies there, as read there now; raises FileChanged when it is not what its name says."""

    def put(self, parcel: Parcel) -> None:
        """Have it lie there whole or not at all. What is there is not overwritten."""


def keep(archive: Archive, parcel: Parcel) -> bool:
    """Have the archive keep a file; False when it lies there already. Raises ArchiveFailed, FileChanged among them."""
    with _opened(archive) as store:
        store.tidy(parcel)
        if store.holds(parcel):
            return False
        store.put(parcel)
        if not store.holds(parcel):
            raise ArchiveFailed("The file was written, and is not there any more.")
        return True


def _opened(archive: Archive) -> AbstractContextManager[Store]:
    try:
        settings = read_archive_settings(archive.kind, archive.settings)
        archive.refresh_from_db(fields=["secret"])
    except SettingsRefused as refused:
        raise ArchiveFailed(f"The settings cannot be used. {refused}", pauses=True) from refused
    except ImproperlyConfigured as error:
        raise ArchiveFailed(str(error), pauses=True) from error
    if isinstance(settings, FolderSettings):
        return folder_store(settings)
    if isinstance(settings, S3Settings):
        return s3_store(settings, archive.secret, timeout=archive.timeout_seconds, deadline=LONGEST)
    return sftp_store(settings, archive.secret, timeout=archive.timeout_seconds, deadline=LONGEST)
