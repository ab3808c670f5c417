"""Making a new database in a third of the time: the models of a migration that only makes tables are rendered once."""

from typing import Final

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.fields import FieldOperation
from django.db.migrations.operations.models import ModelOptionOperation
from django.db.migrations.state import ProjectState

# What changes a table that stands: it would find its own work done, by what made the table as it is in the end.
_CHANGES: Final = (
    FieldOperation, ModelOptionOperation, migrations.AddIndex, migrations.RemoveIndex, migrations.AddConstraint,
    migrations.RemoveConstraint,
)  # fmt: skip


class RenderedOnce(migrations.Migration):
    """For a migration that makes tables and what belongs to them, and changes none that it made.

    Django renders all models that refer to one another anew after each that is added, which of a hundred of them is
    most of the time that a new database takes. What makes a table looks at its own model and at those that it names,
    and at no others, so that all may be there from the beginning.
    """

    def apply(
        self,
        project_state: ProjectState,
        schema_editor: BaseDatabaseSchemaEditor,
        collect_sql: bool = False,  # noqa: FBT001, FBT002 - as Django's own
    ) -> ProjectState:
        """As Django's own; raises TypeError for what changes a table. Statements are collected one by one, as there."""
        for operation in self.operations:
            if isinstance(operation, _CHANGES):
                raise TypeError(f"{self} only makes tables. Move to a migration after it: {operation.describe()}")
        if collect_sql:
            return super().apply(project_state, schema_editor, collect_sql)
        vars(project_state).pop("apps", None)
        for operation in self.operations:
            operation.state_forwards(self.app_label, project_state)
        for operation in self.operations:
            operation.database_forwards(self.app_label, schema_editor, project_state, project_state)
        return project_state
