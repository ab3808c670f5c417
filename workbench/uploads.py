"""Files in forms: no page takes one, so none is written to a disk that may be full, nor kept in memory."""

from typing import Any

from django.core.files.uploadhandler import FileUploadHandler, SkipFile


class NoFiles(FileUploadHandler):
    """Passes over every file of a form; its other fields are read."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """None comes here, since every file is passed over."""

    def file_complete(self, file_size: int) -> None:
        """None comes here either."""
