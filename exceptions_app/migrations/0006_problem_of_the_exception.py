from django.db import migrations, models

# Only the owner of the tables may do this, and it writes nothing but a column that is new. The words are those with
# which the exception came in last.
_FILL = """
ALTER TABLE exceptions_app_exceptioncase DISABLE TRIGGER USER;
UPDATE exceptions_app_exceptioncase AS held SET problem = left(coalesce(
    (SELECT coalesce(nullif(found.error ->> 'plain', ''), found.error ->> 'text')
     FROM jsonb_array_elements((
         SELECT errors FROM exceptions_app_occurrence WHERE case_id = held.id ORDER BY id DESC LIMIT 1
     )) WITH ORDINALITY AS found (error, position)
     ORDER BY found.error ->> 'severity' <> 'error', found.position LIMIT 1), ''), 300);
ALTER TABLE exceptions_app_exceptioncase ENABLE TRIGGER USER;
UPDATE exceptions_app_cause SET title = left('Refused with ' || code || '.', 300);
"""


class Migration(migrations.Migration):
    """An exception keeps its own words.

    Before, lists showed the title of the cause, which had the words about the first exception of many.
    """

    dependencies = [("exceptions_app", "0005_readable_times")]

    operations = [
        migrations.AddField(
            "exceptioncase",
            "problem",
            models.CharField(
                blank=True, default="", help_text="What is wrong with it, in plain words.", max_length=300
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            "historicalexceptioncase",
            "problem",
            models.CharField(
                blank=True, default="", help_text="What is wrong with it, in plain words.", max_length=300
            ),
            preserve_default=False,
        ),
        migrations.RunSQL(_FILL, migrations.RunSQL.noop),
    ]
