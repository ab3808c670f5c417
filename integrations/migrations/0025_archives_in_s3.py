import integrations.secret_box
from django.db import migrations, models

KINDS = [('folder', 'Folder'), ('sftp', 'SFTP folder'), ('s3', 'S3 bucket')]


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0024_archives'),
    ]

    operations = [
        migrations.AlterField(
            model_name='archive',
            name='kind',
            field=models.CharField(choices=KINDS, max_length=10),
        ),
        migrations.AlterField(
            model_name='historicalarchive',
            name='kind',
            field=models.CharField(choices=KINDS, max_length=10),
        ),
        migrations.AlterField(
            model_name='archive',
            name='secret',
            field=integrations.secret_box.SealedTextField(blank=True, help_text='The password, private key or secret key.'),
        ),
        migrations.RemoveConstraint(
            model_name='archive',
            name='archive_known_kind',
        ),
        migrations.AddConstraint(
            model_name='archive',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['folder', 'sftp', 's3'])), name='archive_known_kind'),
        ),
    ]
