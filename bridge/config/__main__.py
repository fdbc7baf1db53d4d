"""The configuration's reference on standard output: ``python -m bridge.config``."""

import sys

from bridge.config.reference import reference

sys.stdout.write(reference())
