# SPDX-License-Identifier: Apache-2.0
"""memory_test with a thousand loads and unloads of each model, unless OCTET_RELOADS says otherwise."""

import os
import sys
import unittest

os.environ.setdefault("OCTET_RELOADS", "1000")

# After the number is set.
from tests.integration.memory_test import MemoryTest  # noqa: E402

assert issubclass(MemoryTest, unittest.TestCase)

if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
