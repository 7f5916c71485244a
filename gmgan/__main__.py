"""`python -m gmgan`: the same as the `gmgan` command."""

import sys

from gmgan.cli import main

if __name__ == "__main__":
    sys.exit(main())
