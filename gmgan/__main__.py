"""`python -m gmgan`: through the warm worker if there is one, else in this process."""

import os
import sys

if __name__ == "__main__":
    status = None
    if "GMGAN_WORKER" in os.environ:
        from gmgan.worker import submit

        status = submit(os.environ["GMGAN_WORKER"], sys.argv[1:])
    if status is None:
        from gmgan.cli import main

        status = main()
    sys.exit(status)
