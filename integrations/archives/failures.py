"""Why an archive did not take a file."""

from integrations.pull.outcome import fit_to_show


class ArchiveFailed(Exception):
    """The file does not count as kept. `pauses`: to try again is of no use until a person has changed something."""

    def __init__(self, problem: str, *, pauses: bool = False) -> None:
        super().__init__(problem)
        self.problem = fit_to_show(problem)
        self.pauses = pauses


class FileChanged(ArchiveFailed):
    """Under the name of the file lies another content, which nobody of us wrote."""
