"""Who did what, when and why: append-only events, sealed and verifiable. Knows no other room."""
