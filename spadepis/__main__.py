"""``python -m spadepis`` is the ``spadepis`` command."""

import sys

from spadepis.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
