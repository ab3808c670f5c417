from django.db import migrations, models


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
    ]
