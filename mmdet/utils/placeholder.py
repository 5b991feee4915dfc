"""What stands for an object that a file asks for and that is not made."""


class Placeholder:
    """Takes the place of an object that a pickle asks for, and does nothing at all."""

    def __new__(cls, *_: object) -> 'Placeholder':
        return super().__new__(cls)

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass
