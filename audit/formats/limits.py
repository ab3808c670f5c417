"""What a file of a format cannot hold."""


class TooLarge(Exception):
    """More than the format has room for; in words for the person who asked."""
