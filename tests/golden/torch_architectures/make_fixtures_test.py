# SPDX-License-Identifier: Apache-2.0
"""PyTorch, live: the networks of this folder exported anew, and those of torchvision in their real sizes,
imported beside ONNX Runtime's answers and PyTorch's own."""

import sys

from tests.golden import live_exports

if __name__ == "__main__":
    sys.exit(live_exports.check("torch_architectures", "torch", "torch_architectures_test.py",
                                least_real=20))
