"""PostgreSQL and Valkey from wheels, and the processes of one installation, for a machine that has only Python."""
