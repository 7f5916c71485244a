"""The one exception that users are meant to see."""

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST_LINE = 300  # characters of a message
_MOST_KNOWN = 20  # at most this many names are listed
_LONGEST_NAME = 60  # characters of a name in a message
_LONGEST_LIST = 120  # characters of the names that are listed


class GmganError(Exception):
    """A mistake in the input or the environment.

    The message is one line for each mistake: what is wrong, where, and what to do. Of a line with
    more than LONGEST_LINE characters the middle is left out. The command line prints it without a
    traceback and exits with status 2. Anything else that escapes is a bug.
    """

    def __init__(self, message: str):
        super().__init__("\n".join(shortened(line, LONGEST_LINE) for line in message.split("\n")))


def shortened(text: str, longest: int) -> str:
    """`text` with at most `longest` characters: its start and its end."""
    if len(text) <= longest:
        return text
    start = 2 * longest // 3
    return f"{text[:start]} ... {text[5 + start - longest :]}"


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """Message for a name that does not exist: the names like it, then the names that exist."""
    names, name = sorted(known), shortened(" ".join(name.split()), _LONGEST_NAME)
    near = get_close_matches(name, names)
    question = f" did you mean {' or '.join(near)}?" if near else ""
    shown = names[:_MOST_KNOWN]
    while len(shown) > 1 and len(", ".join(shown)) > _LONGEST_LIST:
        shown.pop()
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return f"unknown {what} '{name}';{question} known: {', '.join(shown) or 'none'}{more}"
