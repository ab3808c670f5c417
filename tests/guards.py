"""Writing past the database's guards and foreign keys, to set up what they have let through before, or to take it away.

Only the owner of the tests' own cluster may: the right is given by `tests.embedded_plugin`. In another database, tests
do the same the long way.
"""

from django.db import connection

PASS = "SET LOCAL session_replication_role = replica"
GUARD = "SET LOCAL session_replication_role = DEFAULT"
"""Before and after statements within one transaction: no trigger fires for what stands between."""


def may_pass() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_parameter_privilege('session_replication_role', 'SET')")
        return bool(cursor.fetchone()[0])
