"""Archives outside: a file is written once, read back, and only then counts as kept there."""

from integrations.archives.failures import ArchiveFailed, FileChanged
from integrations.archives.keeping import keep
from integrations.archives.parcels import Parcel

__all__ = ["ArchiveFailed", "FileChanged", "Parcel", "keep"]
