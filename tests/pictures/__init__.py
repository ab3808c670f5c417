"""Pictures of the pages for the documentation, taken of the demonstration: `.venv/bin/python -m tests.pictures`."""
