"""A migration that renders its models once makes what Django's own makes."""

from typing import Any

import pytest
from django.db import connection, migrations, models, transaction
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ModelState, ProjectState

from audit.rendered_once import RenderedOnce

pytestmark = pytest.mark.django_db
LABEL = "town"
MADE = """
    SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
        WHERE table_name LIKE 'town_%'
    UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), contype::text
        FROM pg_constraint WHERE conrelid::regclass::text LIKE 'town_%'
    UNION ALL SELECT tablename, indexname, indexdef, '' FROM pg_indexes WHERE tablename LIKE 'town_%'
    ORDER BY 1, 2
"""


def number() -> models.BigAutoField:
    return models.BigAutoField(primary_key=True)


def to(name: str) -> models.ForeignKey:
    return models.ForeignKey(f"{LABEL}.{name}", on_delete=models.PROTECT)


SIZED = {
    "indexes": [models.Index(fields=["size"], name="room_by_size")],
    "constraints": [models.CheckConstraint(condition=models.Q(size__gt=0), name="room_has_size")],
}
OPERATIONS = [
    migrations.CreateModel(
        "House", [("id", number()), ("name", models.CharField(max_length=10, unique=True)), ("beside", to("House"))]
    ),
    migrations.CreateModel(
        "Room", [("id", number()), ("house", to("House")), ("size", models.IntegerField(null=True))], SIZED
    ),
    migrations.CreateModel(
        "Guest", [("id", number()), ("room", to("Room")), ("houses", models.ManyToManyField("House"))]
    ),
]


def making(kind: type[migrations.Migration], *more: Operation) -> migrations.Migration:
    written = type("Migration", (kind,), {"operations": [*OPERATIONS, *more]})
    made: migrations.Migration = written("0001_initial", LABEL)
    return made


def applied(kind: type[migrations.Migration], patch: pytest.MonkeyPatch) -> tuple[list[tuple[str, ...]], int]:
    """What it made, which is taken back, and how many models were rendered on the way."""
    rendered = 0
    render = ModelState.render

    def counted(state: ModelState, apps: Any) -> Any:
        nonlocal rendered
        rendered += 1
        return render(state, apps)

    migration = making(kind)
    state = ProjectState()
    assert state.apps.get_models() == []  # rendered from the beginning, as where migrations are run
    with transaction.atomic(), patch.context() as patched:
        patched.setattr(ModelState, "render", counted)
        with connection.schema_editor() as editor:
            after = migration.apply(state, editor)
        with connection.cursor() as cursor:
            cursor.execute(MADE)
            made = cursor.fetchall()
        assert {name for label, name in after.models if label == LABEL} == {"house", "room", "guest"}
        transaction.set_rollback(True)
    return made, rendered


def test_it_makes_the_same_and_renders_each_model_once(monkeypatch: pytest.MonkeyPatch):
    plain, often = applied(migrations.Migration, monkeypatch)
    made, once = applied(RenderedOnce, monkeypatch)
    assert {row[0] for row in made} == {"town_house", "town_room", "town_guest", "town_guest_houses"}
    assert made == plain
    assert (once, often > once) == (3, True)


@pytest.mark.parametrize(
    "change",
    [
        migrations.AddField("Room", "floor", models.IntegerField(null=True)),
        migrations.AddIndex("Room", models.Index(fields=["house"], name="by_house")),
        migrations.AlterUniqueTogether("Room", {("house", "size")}),
        migrations.AddConstraint("Room", models.UniqueConstraint(fields=["size"], name="one_of_a_size")),
    ],
    ids=lambda change: type(change).__name__,
)
def test_what_changes_a_table_is_refused(change: Operation):
    migration = making(RenderedOnce, change)
    with connection.schema_editor() as editor, pytest.raises(TypeError, match="only makes tables"):
        migration.apply(ProjectState(), editor)
    assert not [name for name in connection.introspection.table_names() if name.startswith(LABEL)]


def test_its_statements_are_told_as_those_of_any_other():
    told = []
    for kind in (migrations.Migration, RenderedOnce):
        migration = making(kind)
        with connection.schema_editor(collect_sql=True) as editor:
            migration.apply(ProjectState(), editor, collect_sql=True)
        told.append(editor.collected_sql)
    assert told[0] == told[1]
    assert any("CREATE TABLE" in statement for statement in told[1])
