"""The process in which the people of a rehearsal are: it prepares everything, and decides when it is told to."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from workbench.rehearsal.documents import Document
from workbench.rehearsal.plant import Plant
from workbench.rehearsal.spoken import Spoken, spoken_to


class People:
    def __init__(self, spoken: Spoken) -> None:
        self._spoken = spoken

    def begin_to_decide(self, *, seconds: float) -> None:
        self._spoken.tell(str(seconds))

    @property
    def is_under_way(self) -> bool:
        return self._spoken.is_under_way

    def wait_until_decided(self) -> None:
        self._spoken.expect("decided")


def notes_of(plant: Plant) -> Path:
    """Where they note what was acknowledged to them."""
    return plant.home.path / f"notes-{plant.run}.jsonl"


@contextmanager
def people(plant: Plant, documents: Mapping[str, list[Document]], *, seed: int, timeout: int) -> Iterator[People]:
    """With everything proposed that waits for a decision. Raises CannotRehearse."""
    plan = plant.home.path / "plan.json"
    content = {
        "seed": seed,
        "timeout": timeout,
        "notes": str(notes_of(plant)),
        "targets": {
            kind: {"url": target.url, "token": target.token}
            for kind, target in plant.targets.items()
            if kind in documents
        },
        "documents": {kind: [asdict(document) for document in found] for kind, found in documents.items()},
    }
    plan.write_text(json.dumps(content), encoding="utf-8")
    with spoken_to(plant, "rehearsal_desk", str(plan), name="people of the rehearsal", log="people.log") as spoken:
        spoken.expect("ready")
        yield People(spoken)
