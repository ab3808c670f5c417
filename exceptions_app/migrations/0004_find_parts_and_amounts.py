from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations, models


class Migration(migrations.Migration):
    """Search for a part of a number and for an amount without reading every row.

    The extension comes with PostgreSQL and is a trusted one: the owner of the database may create it.
    """

    dependencies = [("exceptions_app", "0003_references_start_at_1001")]

    operations = [
        TrigramExtension(),
        migrations.AddIndex(
            "identifier", GinIndex(fields=["folded"], name="identifier_parts", opclasses=["gin_trgm_ops"])
        ),
        migrations.AddIndex("exceptioncase", models.Index(fields=["amount"], name="case_by_amount")),
    ]
