from typing import Any

from django.core.management.base import CommandError

from exceptions_app.management.operators import OperatorCommand
from workbench.sealing import seal_all_anew


class Command(OperatorCommand):
    help = "Seal all stored secrets and second factors with the newest of FIELD_ENCRYPTION_KEYS; goes on where it was."
    in_one = False

    def act(self, options: dict[str, Any], signed: dict[str, Any]) -> list[str]:
        found = seal_all_anew(**signed)
        lines = [
            f"{called}: {found.anew[called]} sealed anew, {found.already[called]} with the newest key already"
            for called in sorted({*found.anew, *found.already})
        ]
        if found.lost:
            for line in lines:
                self.stdout.write(line)
            raise CommandError(
                f"No key opens these, and they are as they were: {', '.join(found.lost)}. "
                "Add the key that sealed them to FIELD_ENCRYPTION_KEYS, or have each set or removed."
            )
        return [*lines, "The earlier keys may go in a quarter of an hour, when every process has the newest one."]
