from tests.mortal_workers import mortal_program, workers

__all__ = ["mortal_program", "workers"]
