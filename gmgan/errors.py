"""The one exception that users are meant to see."""


class GmganError(Exception):
    """A mistake in the input or the environment.

    The message is one line: what is wrong, where, and what to do. The command line prints it
    without a traceback and exits with status 2. Anything else that escapes is a bug.
    """


def unknown_name(what: str, name: str, known) -> str:
    """Message for a name that does not exist, listing the names that do."""
    return f"unknown {what} '{name}'; known: {', '.join(sorted(known)) or 'none'}"
