"""The configuration's reference on standard output: ``python -m bridge.config``."""

import sys

from bridge.config.models import reference

sys.stdout.write(reference())
