"""`python -m gmgan`: through the warm worker if there is one, else in this process.

Rules start it as `python -S`: without the environment's packages, which the worker has loaded.
"""

import os
import sys

if __name__ == "__main__":
    status = None
    if "GMGAN_WORKER" in os.environ:
        from gmgan.runtime.client import submit

        status = submit(os.environ["GMGAN_WORKER"], sys.argv[1:])
    if status is None and sys.flags.no_site:
        os.execv(sys.executable, [sys.executable, "-m", "gmgan", *sys.argv[1:]])
    if status is None:
        from gmgan.cli import main

        status = main()
    sys.exit(status)
