"""Believable e-invoices for the demonstration and for tests: invented companies, exact arithmetic, planned faults."""
