"""The one exception that users are meant to see."""

from collections.abc import Iterable
from difflib import get_close_matches

_MOST_KNOWN = 20  # at most this many names are listed


class GmganError(Exception):
    """A mistake in the input or the environment.

    The message is one line for each mistake: what is wrong, where, and what to do. The command line
    prints it without a traceback and exits with status 2. Anything else that escapes is a bug.
    """


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """Message for a name that does not exist: the names like it, then the names that exist."""
    names = sorted(known)
    near = get_close_matches(name, names)
    question = f" did you mean {' or '.join(near)}?" if near else ""
    listed = ", ".join(names[:_MOST_KNOWN]) or "none"
    more = f" and {len(names) - _MOST_KNOWN} more" if len(names) > _MOST_KNOWN else ""
    return f"unknown {what} '{name}';{question} known: {listed}{more}"
