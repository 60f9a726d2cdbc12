"""`python -m nbdeploy` is the `nbdeploy` command."""

from __future__ import annotations

import sys

from nbdeploy.cli import main

sys.exit(main())
