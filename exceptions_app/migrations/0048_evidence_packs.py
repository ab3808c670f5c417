from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('exceptions_app', '0047_service_owners'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='auditexport',
            name='export_known_format',
        ),
        migrations.AddConstraint(
            model_name='auditexport',
            constraint=models.CheckConstraint(condition=models.Q(('form__in', ['csv', 'jsonl', 'xlsx', 'parquet', 'ocsf', 'evidence'])), name='export_known_format'),
        ),
    ]
