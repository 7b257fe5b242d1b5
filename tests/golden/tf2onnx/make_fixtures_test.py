# SPDX-License-Identifier: Apache-2.0
"""tf2onnx, live: the networks of this folder exported anew, and Keras's applications, imported beside
ONNX Runtime's answers and TensorFlow's own."""

import sys

from tests.golden import live_exports

if __name__ == "__main__":
    sys.exit(live_exports.check("tf2onnx", "tfmot", "tf2onnx_test.py", least_real=9))
