# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime against Octet: convolutions and pools over volumes, [N, C, D, H, W], and what else a
network of them is made of; MaxPool's indices; transposed convolutions of a given size.

    onnx_volumes_peer_test.py [OCTET [FILTER]]

OCTET is the path of the program `octet`, OCTET_BIN_DIR/octet if not given. Only models whose name
contains FILTER are tried. Each has an open batch and is run for one and for three.
"""

import functools
import sys

try:
    import numpy as np
    import onnxruntime
    from onnx import TensorProto
    from tests.models.importers import onnx_peer_test as peer
    from tests.support import onnx_models
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

BOUND = 1e-5
CHANNELS, SIZES = 4, (6, 7, 8)


def one(op, *weights, sizes=SIZES, channels=CHANNELS, opset=19, batch="n", **attributes):
    """One operator over [batch, channels, *sizes]."""
    def make():
        b = peer.Builder(opset=opset)
        x = b.input("x", [batch, channels, *sizes])
        b.output(b.add(op, x, *(b.floats(*shape) for shape in weights), **attributes))
        return b.model(), [{"x": peer.noise(n, channels, *sizes)} for n in (1, 3)]
    return make


def with_indices(*sizes, storage_order=0, **attributes):
    """ONNX counts from the first image: the batch is 1."""
    def make():
        b = peer.Builder(opset=12)
        x = b.input("x", [1, 3, *sizes])
        y, indices = b.add("MaxPool", x, outputs=2, storage_order=storage_order, **attributes)
        b.output(y)
        b.output(indices, TensorProto.INT64)
        steps = np.round(peer.noise(1, 3, *sizes) * 2)  # so that many are equal
        return b.model(), [{"x": peer.noise(1, 3, *sizes)}, {"x": steps.astype(np.float32)}]
    return make


def network():
    """What PyTorch makes of a small network over volumes, with a way down and up again."""
    b = peer.Builder()
    x = b.input("x", ["n", 2, 8, 8, 12])
    y = b.add("Conv", x, b.floats(8, 2, 3, 3, 3), b.floats(8), pads=[1] * 6)
    y = b.add("Relu", peer.batch_norm(b, y, 8))
    skip = y
    y = b.add("MaxPool", y, kernel_shape=[2, 2, 2], strides=[2, 2, 2])
    y = b.add("Conv", y, b.floats(8, 2, 3, 3, 3), pads=[1] * 6, group=4)
    y = b.add("InstanceNormalization", y, b.floats(8), b.floats(8))
    y = b.add("LeakyRelu", y)
    y = b.add("ConvTranspose", y, b.floats(8, 4, 2, 2, 2), b.floats(4), strides=[2, 2, 2])
    y = b.add("Concat", y, skip, axis=1)
    y = b.add("AveragePool", y, kernel_shape=[2, 2, 2], strides=[2, 2, 2])
    y = b.add("Flatten", b.add("GlobalAveragePool", y))
    b.output(b.add("Gemm", y, b.floats(5, 12), b.floats(5), transB=1))
    return b.model(), [{"x": peer.noise(n, 2, 8, 8, 12)} for n in (1, 3)]


def normalizations():
    b = peer.Builder()
    x = b.input("x", ["n", 4, 3, 4, 5])
    b.output(peer.batch_norm(b, x, 4))
    b.output(b.add("InstanceNormalization", x, b.floats(4), b.floats(4)))
    b.output(b.add("GlobalMaxPool", x))
    b.output(b.add("GlobalAveragePool", x))
    b.output(b.add("PRelu", x, b.floats(4, 1, 1, 1)))
    b.output(b.add("Pad", x, b.ints(0, 0, 1, 2, 0, 0, 0, 1, 0, 3), mode="reflect"))
    return b.model(), [{"x": peer.noise(n, 4, 3, 4, 5)} for n in (1, 3)]


def not_batched():
    """A dimension in front that is not the batch of the model as a whole."""
    b = peer.Builder()
    x = b.input("x", [2, 3, 4, 5])
    volume = b.add("Unsqueeze", x, b.ints(0))
    y = b.add("Conv", volume, b.floats(4, 2, 2, 2, 2))
    y = b.add("MaxPool", y, kernel_shape=[1, 2, 2], dilations=[1, 1, 2])
    b.output(b.add("Squeeze", y, b.ints(0)))
    b.output(b.add("ReduceSum", x, b.ints(0), keepdims=0))  # over what would be the batch
    return b.model(), [{"x": peer.noise(2, 3, 4, 5)}]


CONVOLUTION = functools.partial(one, "Conv")
TRANSPOSED = functools.partial(one, "ConvTranspose")
MAXIMUM = functools.partial(one, "MaxPool")
MEAN = functools.partial(one, "AveragePool")

MODELS = {
    "conv": CONVOLUTION((5, 4, 3, 2, 3), (5,)),
    "conv_no_bias": CONVOLUTION((5, 4, 2, 2, 2), kernel_shape=[2, 2, 2]),
    "conv_plane_by_plane": CONVOLUTION((5, 4, 1, 3, 3), (5,), strides=[2, 1, 1]),
    "conv_point": CONVOLUTION((5, 4, 1, 1, 1), (5,), pads=[1, 0, 0, 0, 1, 2]),
    "conv_depth_only": CONVOLUTION((5, 4, 4, 1, 1), pads=[2, 0, 0, 3, 0, 0]),
    "conv_strides_pads": CONVOLUTION((6, 4, 3, 3, 3), (6,), strides=[2, 1, 3],
                                     pads=[1, 2, 0, 2, 1, 1]),
    "conv_dilations": CONVOLUTION((6, 4, 2, 3, 2), (6,), dilations=[3, 2, 4]),
    "conv_groups": CONVOLUTION((6, 2, 3, 3, 3), (6,), group=2, pads=[1] * 6),
    "conv_depthwise": CONVOLUTION((8, 1, 3, 3, 3), (8,), group=4, pads=[1] * 6),
    "conv_same_upper": CONVOLUTION((3, 4, 4, 2, 3), (3,), auto_pad="SAME_UPPER", strides=[2, 2, 3]),
    "conv_same_lower": CONVOLUTION((3, 4, 4, 2, 3), (3,), auto_pad="SAME_LOWER", strides=[2, 2, 3]),
    "conv_wide": CONVOLUTION((32, 32, 3, 3, 3), (32,), channels=32, pads=[1] * 6),
    "transposed": TRANSPOSED((4, 5, 3, 2, 3), (5,)),
    "transposed_strides": TRANSPOSED((4, 3, 3, 2, 3), (3,), strides=[2, 3, 1], pads=[1, 0, 1, 0, 1, 1],
                                     output_padding=[1, 2, 0], sizes=(3, 4, 5)),
    "transposed_groups": TRANSPOSED((4, 3, 2, 2, 2), (6,), group=2, dilations=[2, 1, 3],
                                    sizes=(3, 4, 5)),
    "transposed_shape": TRANSPOSED((4, 2, 3, 3, 3), strides=[2, 3, 2], output_shape=[8, 10, 9],
                                   sizes=(3, 4, 5)),
    "transposed_shape_2d": TRANSPOSED((4, 2, 3, 3), (2,), strides=[3, 2], output_shape=[17, 9],
                                      sizes=(5, 4)),
    "transposed_shape_cut": TRANSPOSED((4, 2, 3, 3), (2,), strides=[3, 2], output_shape=[14, 6],
                                       sizes=(5, 4)),
    "transposed_shape_upper": TRANSPOSED((4, 2, 3, 4), strides=[3, 2], output_shape=[14, 7],
                                         auto_pad="SAME_UPPER", sizes=(5, 4)),
    "transposed_shape_added": TRANSPOSED((4, 2, 2, 3), (2,), strides=[3, 2], output_shape=[16, 9],
                                         output_padding=[1, 1], sizes=(5, 4)),
    "max": MAXIMUM(kernel_shape=[2, 3, 2], strides=[2, 1, 3]),
    "max_pads": MAXIMUM(kernel_shape=[3, 3, 3], strides=[2, 2, 2], pads=[1, 2, 0, 1, 0, 2]),
    "max_ceil": MAXIMUM(kernel_shape=[3, 2, 3], strides=[2, 2, 3], ceil_mode=1),
    "max_dilations": MAXIMUM(kernel_shape=[2, 3, 2], dilations=[3, 2, 4]),
    "max_same": MAXIMUM(kernel_shape=[3, 2, 3], strides=[2, 2, 2], auto_pad="SAME_UPPER"),
    "mean": MEAN(kernel_shape=[2, 3, 2], strides=[2, 1, 3]),
    "mean_pads": MEAN(kernel_shape=[3, 3, 3], strides=[2, 2, 2], pads=[1, 2, 0, 1, 0, 2]),
    "mean_counted_pads": MEAN(kernel_shape=[3, 3, 3], strides=[2, 2, 2], pads=[1, 2, 0, 1, 0, 2],
                              count_include_pad=1),
    "mean_ceil": MEAN(kernel_shape=[3, 2, 3], strides=[2, 2, 3], ceil_mode=1),
    "mean_same": MEAN(kernel_shape=[3, 2, 3], strides=[2, 2, 2], auto_pad="SAME_UPPER"),
    "mean_dilations": MEAN(kernel_shape=[2, 3, 2], dilations=[3, 2, 4]),
    "mean_dilations_2d": MEAN(kernel_shape=[3, 2], dilations=[2, 4], strides=[1, 2],
                              pads=[1, 0, 2, 1], sizes=(7, 8)),
    "mean_dilations_counted_2d": MEAN(kernel_shape=[3, 2], dilations=[2, 4], pads=[1, 0, 2, 1],
                                      count_include_pad=1, sizes=(7, 8)),
    "mean_dilations_1d": MEAN(kernel_shape=[3], dilations=[2], sizes=(9,)),
    "indices_1d": with_indices(9, kernel_shape=[3], strides=[2], pads=[1, 1]),
    "indices_2d": with_indices(7, 8, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1]),
    "indices_2d_dilations": with_indices(7, 8, kernel_shape=[3, 2], dilations=[2, 3]),
    "indices_2d_columns": with_indices(7, 8, kernel_shape=[2, 3], strides=[2, 1], storage_order=1),
    "indices_3d": with_indices(5, 6, 7, kernel_shape=[2, 3, 2], pads=[1, 0, 0, 0, 1, 1]),
    "network": network,
    "normalizations": normalizations,
    "not_batched": not_batched,
}


def batch_of_indices():
    b = peer.Builder()
    y, indices = b.add("MaxPool", b.input("x", ["n", 3, 4, 4]), outputs=2, kernel_shape=[2, 2])
    b.output(y)
    b.output(indices, TensorProto.INT64)
    return b.model(), []


def open_depth():
    b = peer.Builder()
    b.output(b.add("Conv", b.input("x", ["n", 3, "d", 4, 4]), b.floats(2, 3, 2, 2, 2)))
    return b.model(), []


# What is refused, and what is said.
REFUSED = {
    "its indices are used, which count from the batch's first image": batch_of_indices,
    "images of an open size": open_depth,
    "an input of 6 dimensions, wants": CONVOLUTION((5, 4, 1, 1, 1, 1), sizes=(2, 2, 2, 2)),
    "wants 5 dimensions of at least 1": CONVOLUTION((5, 4, 3, 3)),
    "got 4 pads for 3 axes of space": CONVOLUTION((5, 4, 3, 3, 3), pads=[0, 0, 0, 0]),
    "its pads hold -1, wants 0 to 2^31 - 1": TRANSPOSED((4, 5, 3, 3), pads=[0, 0, -1, 0], sizes=(5, 5)),
    "got 2 pads for 2 axes of space": TRANSPOSED((4, 5, 3, 3), pads=[0, 0], sizes=(5, 5)),
    "its result's sizes hold -3, wants 1 to 2^31 - 1": TRANSPOSED((4, 5, 3, 3), output_shape=[-3, 3],
                                                               sizes=(5, 5)),
    "its strides hold 9223372036854775807, wants 1 to 2^31 - 1": TRANSPOSED((4, 5, 3, 3), strides=[2**63 - 1, 1],
                                                              sizes=(5, 5)),
    "its storage_order is 2, wants 0 or 1": with_indices(4, 4, kernel_shape=[2, 2],
                                                         storage_order=2),
    "count_include_pad with auto_pad": MEAN(kernel_shape=[2, 2, 2], auto_pad="SAME_LOWER",
                                            count_include_pad=1),
}


def check(name, build, octet, root):
    largest = peer.compare(octet, *build(), root)
    print(f"{name}: {largest:.2g}")
    assert largest <= BOUND, f"differs by {largest:g} of the largest output"


def main():
    checks = {name: functools.partial(check, name, build) for name, build in MODELS.items()}
    checks |= {f"quantized_{name}": lambda octet, root, name=name: peer.check_quantized(
        octet, network, root, name) for name in ("Conv3D", "Dense")}
    checks |= {text: lambda octet, root, text=text, build=build: onnx_models.check_refused(
        octet, text, build()[0], root) for text, build in REFUSED.items()}
    return onnx_models.run_checks(checks, f"ONNX Runtime {onnxruntime.__version__}")


if __name__ == "__main__":
    sys.exit(main())
