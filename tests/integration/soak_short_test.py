# SPDX-License-Identifier: Apache-2.0
"""soak_test for 45 seconds, unless OCTET_SOAK_SECONDS says otherwise."""

import os
import sys
import unittest

os.environ.setdefault("OCTET_SOAK_SECONDS", "45")

# After the length is set.
from tests.integration.soak_test import SoakTest  # noqa: E402

assert issubclass(SoakTest, unittest.TestCase)

if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
