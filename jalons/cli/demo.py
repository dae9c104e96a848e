"""`jalons demo`."""


def demo() -> None:
    """Later today."""
