from tests.exceptions_app.replay_batches.target import target

__all__ = ["target"]
