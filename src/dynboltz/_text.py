"""Text of files that others wrote."""

from __future__ import annotations

import codecs

_WIDE = {
    codecs.BOM_UTF32_LE: "UTF-32",  # begins as that of UTF-16 does
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
MARK = "\ufeff"
"""The byte order mark, which some editors put before UTF-8 text; it is no part of the text."""


def decode_text(data: bytes) -> str:
    """Text of UTF-8 bytes, without a byte order mark.

    Raises
    ------
    ValueError
        If the bytes are not UTF-8; the message is the rest of a sentence that begins with the
        name of the file.
    """
    for mark, name in _WIDE.items():
        if data.startswith(mark):
            raise ValueError(f"is {name} text; save it as UTF-8.")
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 text ({error}); save it as UTF-8.") from None
