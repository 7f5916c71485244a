"""Parts of a page that a command writes: between `<!-- begin: COMMAND -->` and `<!-- end -->`."""

import re


def part(page: str, command: str) -> str:
    """The content between the marks of a command. Raises ValueError unless there is one."""
    (found,) = _marks(command).finditer(page)
    return found[2]


def with_part(page: str, command: str, content: str) -> str:
    """The page with another content, whole lines, between the marks of a command.

    Raises ValueError unless there is one such part.
    """
    part(page, command)
    return _marks(command).sub(lambda found: found[1] + content + found[3], page)


def _marks(command: str) -> re.Pattern[str]:
    begin = re.escape(f"<!-- begin: {command} -->\n")
    return re.compile(f"({begin})(.*?)(<!-- end -->\n)", re.DOTALL)
