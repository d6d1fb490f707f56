"""Digits of numbers in messages."""


def against(value: float | int, limit: float | int, digits: int = 3) -> str:
    """Write a value with enough digits to be on the side of a limit where it is.

    Parameters
    ----------
    value
        The value.
    limit
        What it is compared with, as the message writes it.
    digits
        The least number of significant digits.
    """
    for n in range(digits, 17):
        text = f"{value:.{n}g}"
        if (float(text) < limit) == (value < limit) and (float(text) > limit) == (value > limit):
            return text
    return repr(float(value))
