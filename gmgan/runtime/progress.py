"""Progress of long work: a bar on a terminal, plain lines in a log, always on standard error."""

import sys
import time
from typing import Self, TextIO

from tqdm import tqdm


class Progress:
    """Counts up to `total`; use as a context manager.

    On a terminal a bar is drawn; elsewhere a line is printed at most every `seconds_between_lines`
    and once at the end, so that a log stays readable.
    """

    def __init__(
        self,
        total: float,
        description: str,
        unit: str,
        start: float = 0,
        seconds_between_lines: float = 15.0,
        stream: TextIO | None = None,
    ) -> None:
        self.stream = stream or sys.stderr
        self.total, self.description, self.unit = total, description, unit
        self.form = ",.0f" if total >= 1000 else ".4g"  # of counts
        self.count = start
        self.seconds_between_lines = seconds_between_lines
        self.last_line = time.monotonic()
        self.note = ""
        self.bar = None
        if self.stream.isatty():
            self.bar = tqdm(
                total=total,
                initial=start,
                desc=description,
                unit=unit,
                file=self.stream,
                dynamic_ncols=True,
                bar_format=f"{{desc}} {{percentage:3.0f}}% |{{bar}}| {{n:{self.form}}} of "
                f"{{total:{self.form}}} {{unit}} [{{elapsed}}<{{remaining}}{{postfix}}]",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.bar is not None:
            self.bar.close()
        elif exception[0] is None:
            self._line()

    def update(self, amount: float, note: str = "") -> None:
        """Count `amount` more; `note` is shown beside the count."""
        self.count += amount
        self.note = note
        if self.bar is not None:
            self.bar.n = min(self.count, self.total)
            self.bar.set_postfix_str(note)
        elif time.monotonic() - self.last_line >= self.seconds_between_lines:
            self._line()

    def _line(self) -> None:
        self.last_line = time.monotonic()
        note = f"  {self.note}" if self.note else ""
        print(
            f"{self.description}: {self.count:{self.form}} of {self.total:{self.form}} "
            f"{self.unit}{note}",
            file=self.stream,
            flush=True,
        )
