"""The rehearsal: a storm over an installation of its own, judged by what the targets booked.

Everything is private and thrown away afterwards: the database, the broker, the workers, the targets. Exceptions come
in, are corrected, proposed and approved through the same actions as ever, and the same workers carry them out, while
processes are killed and frozen, servers restarted and connections cut. Then the ledger of each target is held against
the database. Nothing here is reached from a configured database, and nothing here changes how the product delivers: the
one switch, `integrations.delivery.safeguards`, refuses on every database that does not bear a rehearsal's mark.
"""
