"""Why nothing can be generated."""


class GenerateError(Exception):
    """Nothing was generated, or not all. The text says what is wrong and where."""
