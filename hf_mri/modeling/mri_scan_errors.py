"""What goes wrong with files: one line with the file, the reason and the fix, and the same in parts."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from PIL import Image

# What decoders raise on damaged bytes; anything else is a mistake of ours and must show.
DECODE_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    AssertionError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


class ScanError(ValueError):
    """A scan that cannot be read; as text one line, `path: reason; fix`, whatever a file's name holds.

    Attributes:
        path: the file, folder or member of an archive; where there is none, what was given ("scan", "spacing").
        reason: what is wrong with it.
        fix: what to do, or nothing.
    """

    def __init__(self, path: str | Path, reason: str, fix: str = ""):
        super().__init__(str(path), reason, fix)  # with all arguments it travels between processes
        self.path, self.reason, self.fix = self.args

    def __str__(self) -> str:
        return in_one_line(f"{self.path}: {self.explanation}")

    @property
    def explanation(self) -> str:
        """The reason and the fix, without the path."""
        return f"{self.reason}; {self.fix}" if self.fix else self.reason

    def named(self, path: str | Path) -> ScanError:
        """The same error under another name of the file."""
        return ScanError(path, self.reason, self.fix)


class MissingLibraryError(ImportError):
    """A format whose library is not installed; as text one line with the command that installs it."""

    def __init__(self, path: str | Path, reason: str, library: str):
        self.reason = f"{reason} needs {library}: pip install {library}"
        super().__init__(in_one_line(f"{path}: {self.reason}"), name=library, path=str(path))


def in_one_line(text: str) -> str:
    """Text with line breaks and other unprintable letters written out, as names of files may hold them."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def reason_of(error: BaseException) -> str:
    """Why decoding failed: what a decoder says of the file, not what Python says of the decoder."""
    if isinstance(error, TypeError | AttributeError | LookupError | AssertionError) or not str(error).strip():
        return "its structure is damaged"
    text = " ".join(str(error).split())
    return "".join(letter for letter in text if letter.isprintable())[:150]
