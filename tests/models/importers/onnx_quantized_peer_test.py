# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime against Octet: quantized models, imported and run by the real program.

    onnx_quantized_peer_test.py [OCTET [FILTER]]

OCTET is the path of the program `octet`, OCTET_BIN_DIR/octet if not given. Only models whose name
contains FILTER are tried. Some are made here node by node, others by ONNX Runtime's own quantizer
of the float models of onnx_peer_test.py. Integers are compared by how many steps they are apart,
floats by the largest difference as a part of the largest output.
"""

import functools
import os
import pathlib
import sys
import tempfile

try:
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper
    from onnxruntime import quantization
    from tests.models.importers import onnx_peer_test as peer
    from tests.models.importers import onnx_volumes_peer_test as volumes
    from tests.support import onnx_models
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

MICROSOFT = "com.microsoft"
FLOAT_BOUND = 1e-5


class Builder(peer.Builder):
    """With the operators of ONNX Runtime's domain."""

    def microsoft(self, op, *inputs, **attributes):
        return self.add(op, *inputs, domain=MICROSOFT, **attributes)

    def scale(self, value):
        return self.constant(np.asarray(value, np.float32))

    def zero(self, value, dtype=np.uint8):
        return self.constant(np.asarray(value, dtype))

    def quantization(self, scale, zero_point, dtype=np.uint8):
        return self.scale(scale), self.zero(zero_point, dtype)

    def integers(self, *shape, dtype=np.int8):
        info = np.iinfo(dtype)
        return self.constant(peer.RNG.integers(info.min, info.max + 1, shape).astype(dtype))

    def model(self):
        model = super().model()
        model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
        return model


def scales(count, low=0.001, high=0.01):
    return peer.RNG.uniform(low, high, count).astype(np.float32)


def linear_convolutions(x_type, w_type):
    """QLinearConv: ordinary, depthwise, grouped and 1 x 1, with what moves bytes between them."""
    b = Builder()
    kind = TensorProto.UINT8 if x_type == np.uint8 else TensorProto.INT8
    middle = 121 if x_type == np.uint8 else -7
    x = b.input("x", ["n", 4, 9, 8])
    q = b.quantization(0.02, middle, x_type)
    x = b.add("QuantizeLinear", x, *q)
    a = b.quantization(0.31, middle + 4, x_type)
    w_zero = np.zeros(8, w_type) if w_type == np.int8 else \
        peer.RNG.integers(100, 150, 1).astype(w_type)[0]
    w_scale = scales(8) if w_type == np.int8 else np.float32(0.004)
    x = b.add("QLinearConv", x, *q, b.integers(8, 4, 3, 3, dtype=w_type), b.scale(w_scale),
              b.zero(w_zero, w_type), *a,
              b.constant(peer.RNG.integers(-4000, 4000, 8).astype(np.int32)),
              pads=[1, 1, 0, 1], strides=[1, 2])
    pooled = b.add("MaxPool", x, kernel_shape=[2, 2], strides=[1, 1])
    b.output(b.add("Transpose", pooled, perm=[0, 2, 3, 1]), kind)
    d = b.quantization(2.5, middle - 9, x_type)
    x = b.add("QLinearConv", pooled, *a, b.integers(8, 1, 3, 3, dtype=w_type), b.scale(w_scale),
              b.zero(w_zero, w_type), *d, pads=[1, 1, 1, 1], group=8)
    e = b.quantization(90.0, middle, x_type)
    x = b.add("QLinearConv", x, *d, b.integers(6, 4, 1, 1, dtype=w_type), b.scale(0.3),
              b.zero(0 if w_type == np.int8 else 128, w_type), *e, group=2)
    b.output(x, kind)
    b.output(b.add("DequantizeLinear", x, *e))
    b.output(b.add("DequantizeLinear", b.add("Reshape", x, b.ints(0, -1)), *e))
    return b.model(), [{"x": peer.noise(n, 4, 9, 8)} for n in (1, 3)]


def linear_volumes(x_type, w_type):
    """QLinearConv of three axes of space, and MaxPool over bytes."""
    b = Builder()
    kind = TensorProto.UINT8 if x_type == np.uint8 else TensorProto.INT8
    middle = 121 if x_type == np.uint8 else -7
    x = b.input("x", ["n", 4, 6, 7, 8])
    q = b.quantization(0.02, middle, x_type)
    x = b.add("QuantizeLinear", x, *q)
    a = b.quantization(0.6, middle + 4, x_type)
    w_zero = np.zeros(8, w_type) if w_type == np.int8 else np.uint8(117)
    w_scale = scales(8) if w_type == np.int8 else np.float32(0.004)
    x = b.add("QLinearConv", x, *q, b.integers(8, 4, 3, 3, 3, dtype=w_type), b.scale(w_scale),
              b.zero(w_zero, w_type), *a,
              b.constant(peer.RNG.integers(-4000, 4000, 8).astype(np.int32)),
              pads=[1, 1, 0, 1, 0, 1], strides=[1, 2, 1])
    x = b.add("MaxPool", x, kernel_shape=[2, 2, 2], strides=[2, 1, 1])
    b.output(x, kind)
    d = b.quantization(3.5, middle - 9, x_type)
    x = b.add("QLinearConv", x, *a, b.integers(8, 2, 2, 1, 3, dtype=w_type), b.scale(w_scale),
              b.zero(w_zero, w_type), *d, pads=[1, 0, 1, 1, 0, 1], group=4)
    b.output(x, kind)
    b.output(b.add("DequantizeLinear", x, *d))
    return b.model(), [{"x": peer.noise(n, 4, 6, 7, 8)} for n in (1, 3)]


def linear_products():
    """QLinearMatMul with a matrix of each type, and of two activations."""
    b = Builder()
    x = b.input("x", ["n", 5, 33])
    q = b.quantization(0.03, 117)
    x = b.add("QuantizeLinear", x, *q)
    h = b.quantization(0.5, 99)
    for dtype, zero, scale in ((np.int8, np.zeros(16), scales(16)), (np.uint8, 131, 0.004),
                               (np.int8, 3, 0.003)):
        y = b.add("QLinearMatMul", x, *q, b.integers(33, 16, dtype=dtype), b.scale(scale),
                  b.zero(zero, dtype), *h)
        b.output(y, TensorProto.UINT8)
    product = b.add("QLinearMatMul", y, *h, b.add("Transpose", y, perm=[0, 2, 1]), *h,
                    *b.quantization(90.0, 3))
    b.output(product, TensorProto.UINT8)
    return b.model(), [{"x": peer.noise(2, 5, 33)}]


def integer_products():
    """MatMulInteger and ConvInteger behind DynamicQuantizeLinear, and with constants."""
    b = Builder()
    x = b.input("x", ["n", 7, 40])
    y, scale, zero = b.add("DynamicQuantizeLinear", x, outputs=3)
    for dtype, w_zero in ((np.int8, 0), (np.uint8, 127), (np.int8, peer.RNG.integers(-9, 9, 24))):
        sums = b.add("MatMulInteger", y, b.integers(40, 24, dtype=dtype), zero,
                     b.zero(w_zero, dtype))
        b.output(sums, TensorProto.INT32)
        real = b.add("Cast", sums, to=TensorProto.FLOAT)
        b.output(b.add("Mul", real, b.add("Mul", scale, b.scale(scales(24)))))
    b.output(b.add("MatMulInteger", y, b.integers(40, 3), b.zero(17)), TensorProto.INT32)
    images = b.add("Unsqueeze", y, b.ints(1))
    for group, channels in ((1, 1),):
        sums = b.add("ConvInteger", images, b.integers(5, channels, 3, 2), zero, b.zero(0, np.int8),
                     pads=[1, 0, 2, 1], strides=[2, 3], group=group)
        b.output(sums, TensorProto.INT32)
    return b.model(), [{"x": peer.noise(1, 7, 40)}]


def microsoft_products():
    b = Builder()
    x = b.input("x", ["n", 24])
    y, scale, zero = b.add("DynamicQuantizeLinear", x, outputs=3)
    b.output(b.microsoft("MatMulIntegerToFloat", y, b.integers(24, 16), scale, b.scale(scales(16)),
                         zero, b.zero(np.zeros(16), np.int8), b.floats(16)))
    b.output(b.microsoft("DynamicQuantizeMatMul", x, b.integers(24, 9, dtype=np.uint8),
                         b.scale(0.004), b.zero(120), b.floats(9)))
    b.output(b.microsoft("DynamicQuantizeMatMul", x, b.integers(24, 9), b.scale(scales(9))))
    q = b.quantization(0.03, 120)
    a = b.add("QuantizeLinear", x, *q)
    bias = b.constant(peer.RNG.integers(-900, 900, 8).astype(np.int32))
    weight, w = b.integers(8, 24), (b.scale(scales(8)), b.zero(np.zeros(8), np.int8))
    b.output(b.microsoft("QGemm", a, *q, weight, *w, bias, *b.quantization(0.4, 100), transB=1),
             TensorProto.UINT8)
    b.output(b.microsoft("QGemm", a, *q, weight, *w, bias, transB=1, alpha=0.5))
    return b.model(), [{"x": peer.noise(1, 24)}]


def linear_functions(dtype):
    """ONNX Runtime's operators over integers that are no products."""
    b = Builder()
    kind = TensorProto.UINT8 if dtype == np.uint8 else TensorProto.INT8
    shift = 0 if dtype == np.uint8 else -128
    x, y = b.input("x", ["n", 6, 5, 4]), b.input("y", ["n", 6, 1, 4])
    q, r = b.quantization(0.02, 121 + shift, dtype), b.quantization(0.03, 90 + shift, dtype)
    s = b.quantization(0.043, 130 + shift, dtype)
    x, y = b.add("QuantizeLinear", x, *q), b.add("QuantizeLinear", y, *r)
    results = [
        b.microsoft("QLinearAdd", x, *q, y, *r, *s),
        b.microsoft("QLinearAdd", x, *q, b.integers(6, 1, 1, dtype=dtype), *r, *s),
        b.microsoft("QLinearMul", x, *q, y, *r, *s),
        b.microsoft("QLinearSigmoid", x, *q, *b.quantization(1 / 256, shift, dtype)),
        b.microsoft("QLinearLeakyRelu", x, *q, *s, alpha=0.2),
        b.microsoft("QLinearGlobalAveragePool", x, *q, *b.quantization(0.01, 77 + shift, dtype)),
        b.microsoft("QLinearAveragePool", x, *q, *s, kernel_shape=[2, 3], pads=[1, 1, 0, 1],
                    strides=[1, 2], count_include_pad=1),
        b.microsoft("QLinearConcat", *s, x, *q, b.add("Expand", y, b.ints(1, 6, 5, 4)), *r, x, *s,
                    axis=1),
        b.microsoft("QLinearSoftmax", x, *q, *b.quantization(1 / 256, shift, dtype), axis=-1,
                    opset=17),
    ]
    for result in results:
        b.output(result, kind)
    return b.model(), [{"x": peer.noise(n, 6, 5, 4), "y": peer.noise(n, 6, 1, 4)} for n in (1, 3)]


def fused_operators():
    """What ONNX Runtime's optimizers write."""
    b = Builder()
    x, skip = b.input("x", ["n", 6, 16]), b.input("skip", ["n", 6, 16])
    for op in ("Gelu", "FastGelu", "QuickGelu"):
        b.output(b.microsoft(op, x))
    b.output(b.microsoft("BiasGelu", x, b.floats(16)))
    b.output(b.microsoft("FastGelu", x, b.floats(16)))
    b.output(b.microsoft("SkipLayerNormalization", x, skip, b.floats(16), b.floats(16),
                         b.floats(16), epsilon=1e-5))
    b.output(b.microsoft("SkipSimplifiedLayerNormalization", x, skip, b.floats(16), epsilon=1e-5))
    b.output(b.microsoft("FusedMatMul", x, b.floats(12, 16), transB=1, alpha=0.25))
    b.output(b.microsoft("FusedMatMul", x, skip, transA=1))
    rows = b.add("Flatten", x)
    b.output(b.microsoft("FusedGemm", rows, b.floats(96, 5), b.floats(5), activation="LeakyRelu",
                         activation_alpha=0.3))
    image = b.add("Unsqueeze", x, b.ints(1))
    b.output(b.microsoft("FusedConv", image, b.floats(4, 1, 3, 3), b.floats(4), activation="Clip",
                         activation_params=[-0.5, 0.75], pads=[1, 1, 1, 1]))
    return b.model(), [{"x": peer.noise(n, 6, 16), "skip": peer.noise(n, 6, 16)} for n in (1, 3)]


def block_products(bits, block, levels=(0, 1)):
    """Weights in blocks, with scales of both signs; 40 inputs are no whole blocks of 32."""
    b = Builder()
    x = b.input("x", ["n", 3, 40])
    blocks, n = -(-40 // block), 12

    def product(**attributes):
        weights = b.integers(n, blocks, block * bits // 8, dtype=np.uint8)
        scale = b.constant((peer.noise(n * blocks, scale=0.02)).astype(np.float32))
        zero = b.integers(n * -(-blocks * bits // 8), dtype=np.uint8)
        for zero_points in ("", zero):
            b.output(b.microsoft("MatMulNBits", x, weights, scale, zero_points, K=40, N=n,
                                 bits=bits, block_size=block, **attributes))
    for level in levels:
        product(accuracy_level=level)
    return b.model(), [{"x": peer.noise(2, 3, 40)}]


def bert(quantized):
    """An encoder's layer as ONNX Runtime optimizes it, ids to hidden states, of an open length."""
    b = Builder()
    ids = b.input("ids", ["batch", "length"], TensorProto.INT32)
    segments = b.input("segments", ["batch", "length"], TensorProto.INT32)
    mask = b.input("mask", ["batch", "length"], TensorProto.INT32)
    names = ["embedded", "lengths"]
    if quantized:
        tables = [b.integers(n, 16, dtype=np.uint8) for n in (50, 20, 2)]
        norm = [b.integers(16, dtype=np.uint8) for _ in range(2)]
        inputs = [ids, segments, *tables, *norm, mask, *[b.scale(0.01) for _ in range(5)],
                  *[b.zero(120) for _ in range(5)]]
        b.nodes.append(helper.make_node("QEmbedLayerNormalization", inputs, names,
                                        domain=MICROSOFT, epsilon=1e-6))
    else:
        b.nodes.append(helper.make_node(
            "EmbedLayerNormalization",
            [ids, segments, b.floats(50, 16), b.floats(20, 16), b.floats(2, 16), b.floats(16),
             b.floats(16), mask], names, domain=MICROSOFT, epsilon=1e-6))
    x = names[0]
    for keys in (names[1], mask):
        if quantized:
            y, scale, zero = b.add("DynamicQuantizeLinear", x, outputs=3)
            attended = b.microsoft("QAttention", y, b.integers(16, 48), b.floats(48), scale,
                                   b.scale(0.002), keys, zero, b.zero(0, np.int8), num_heads=4)
        else:
            attended = b.microsoft("Attention", x, b.floats(16, 48), b.floats(48), keys,
                                   num_heads=4)
        x = b.microsoft("SkipLayerNormalization", attended, x, b.floats(16), b.floats(16),
                        epsilon=1e-6)
    b.output(x)
    cases = []
    for rows, length in ((1, 5), (1, 9)) if quantized else ((1, 5), (3, 9)):
        ones = np.ones((rows, length), np.int32)
        ones[-1, length - 2:] = 0
        cases.append({"ids": peer.RNG.integers(0, 50, (rows, length)).astype(np.int32),
                      "segments": peer.RNG.integers(0, 2, (rows, length)).astype(np.int32),
                      "mask": ones})
    return b.model(), cases


def causal():
    b = Builder()
    x = b.input("x", ["n", 7, 16])
    b.output(b.microsoft("Attention", x, b.floats(16, 32), b.floats(32), num_heads=4,
                         unidirectional=1, scale=0.3, qkv_hidden_sizes=[8, 8, 16]))
    return b.model(), [{"x": peer.noise(2, 7, 16)}]


class Calibration(quantization.CalibrationDataReader):
    def __init__(self, feeds):
        self.feeds = iter(feeds)

    def get_next(self):
        return next(self.feeds, None)


def static(build, form, **options):
    """What ONNX Runtime's quantizer makes of a float model."""
    def make():
        model, cases = build()
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "float.onnx"
            onnx.save(onnx.shape_inference.infer_shapes(model), path)
            quantization.quantize_static(path, path.with_name("q.onnx"), Calibration(cases),
                                         quant_format=form, **options)
            return onnx.load(path.with_name("q.onnx")), cases
    return make


def dynamic(build, **options):
    def make():
        model, cases = build()
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "float.onnx"
            onnx.save(model, path)
            quantization.quantize_dynamic(path, path.with_name("q.onnx"), **options)
            # One row: ONNX Runtime has one scale for all rows, Octet one for each.
            cases = [{name: array[:1] for name, array in feeds.items()} for feeds in cases]
            return onnx.load(path.with_name("q.onnx")), cases
    return make


def file(name):
    """A model beside the repository; none where it is not there."""
    path = pathlib.Path(os.environ.get("OCTET_TEST_DATA", "../shared/data")) / "onnx/models" / name

    def make():
        if not path.exists():
            raise FileNotFoundError(path)
        model = onnx.load(path)
        feeds = {}
        for value in onnx_models.graph_inputs(model):
            kind = value.type.tensor_type
            shape = [dim.dim_value if dim.dim_value > 0 else 1 for dim in kind.shape.dim]
            dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type)
            if dtype == np.float32:
                feeds[value.name] = peer.noise(*shape)
            else:
                info = np.iinfo(dtype)
                feeds[value.name] = peer.RNG.integers(info.min, info.max + 1, shape).astype(dtype)
        return model, [feeds]
    return make


S8, U8 = quantization.QuantType.QInt8, quantization.QuantType.QUInt8

# The model, the most steps that integers may be apart, and how far floats.
MODELS = {
    "linear_convolutions_u8s8": (lambda: linear_convolutions(np.uint8, np.int8), 0, FLOAT_BOUND),
    "linear_convolutions_u8u8": (lambda: linear_convolutions(np.uint8, np.uint8), 0, FLOAT_BOUND),
    "linear_convolutions_s8s8": (lambda: linear_convolutions(np.int8, np.int8), 0, FLOAT_BOUND),
    "linear_volumes_u8s8": (lambda: linear_volumes(np.uint8, np.int8), 0, FLOAT_BOUND),
    "linear_volumes_u8u8": (lambda: linear_volumes(np.uint8, np.uint8), 0, FLOAT_BOUND),
    "linear_volumes_s8s8": (lambda: linear_volumes(np.int8, np.int8), 0, FLOAT_BOUND),
    "linear_products": (linear_products, 0, FLOAT_BOUND),
    "integer_products": (integer_products, 0, FLOAT_BOUND),
    "microsoft_products": (microsoft_products, 0, FLOAT_BOUND),
    "linear_functions_u8": (lambda: linear_functions(np.uint8), 1, FLOAT_BOUND),
    "linear_functions_s8": (lambda: linear_functions(np.int8), 1, FLOAT_BOUND),
    "fused_operators": (fused_operators, 0, FLOAT_BOUND),
    "block_products_4": (lambda: block_products(4, 16), 0, FLOAT_BOUND),
    "block_products_4_32": (lambda: block_products(4, 32), 0, FLOAT_BOUND),
    "block_products_8": (lambda: block_products(8, 32), 0, FLOAT_BOUND),
    # There ONNX Runtime quantizes its activations.
    "block_products_level_4": (lambda: block_products(4, 32, (4,)), 0, 0.02),
    "bert": (lambda: bert(False), 0, FLOAT_BOUND),
    "bert_quantized": (lambda: bert(True), 0, 0.02),
    "causal": (causal, 0, FLOAT_BOUND),
    "operators_cnn": (static(peer.cnn, quantization.QuantFormat.QOperator, activation_type=U8,
                             per_channel=True), 1, 0.05),
    "operators_volumes": (static(volumes.network, quantization.QuantFormat.QOperator), 1, 0.05),
    "operators_sequence_cnn": (static(peer.sequence_cnn, quantization.QuantFormat.QOperator,
                                      activation_type=S8), 1, 0.05),
    "operators_mlp": (static(peer.mlp, quantization.QuantFormat.QOperator), 1, 0.05),
    "qdq_cnn": (static(peer.cnn, quantization.QuantFormat.QDQ, activation_type=U8,
                       per_channel=True), 1, 0.05),
    "qdq_cnn_s8": (static(peer.cnn, quantization.QuantFormat.QDQ, activation_type=S8), 1, 0.05),
    "qdq_sequence_cnn": (static(peer.sequence_cnn, quantization.QuantFormat.QDQ,
                                activation_type=U8, weight_type=U8), 1, 0.05),
    "qdq_volumes": (static(volumes.network, quantization.QuantFormat.QDQ, per_channel=True), 1,
                    0.05),
    "qdq_mlp": (static(peer.mlp, quantization.QuantFormat.QDQ, per_channel=True), 1, 0.05),
    "qdq_transformer": (static(peer.transformer, quantization.QuantFormat.QDQ), 1, 0.05),
    "qdq_hand": (peer.quantize_dequantize, 1, 0.05),
    "file_conv_qdq_s8s8": (file("quantized-snippets/conv_qdq_s8s8.onnx"), 0, FLOAT_BOUND),
    "file_conv_qdq_u8u8": (file("quantized-snippets/conv_qdq_u8u8.onnx"), 0, FLOAT_BOUND),
    "file_shufflenet": (file("shufflenet-v2-12-int8/model.onnx"), 0, FLOAT_BOUND),
    "dynamic_mlp": (dynamic(peer.mlp), 0, FLOAT_BOUND),
    "dynamic_cnn": (dynamic(peer.cnn, weight_type=U8), 0, FLOAT_BOUND),
    "dynamic_transformer": (dynamic(peer.transformer, per_channel=True), 0, 0.02),
}


def steps(got, wanted):
    if got.shape != wanted.shape:
        raise AssertionError(f"got shape {got.shape}, wants {wanted.shape}")
    return int(np.max(np.abs(got.astype(np.int64) - wanted.astype(np.int64)), initial=0))


def compare(octet, model, cases, root):
    """The most steps that integers are apart, and the largest difference of floats."""
    names = [value.name for value in model.graph.output]
    path, bundle = root / "model.onnx", root / "model" / "1"
    onnx.save(model, path)
    onnx_models.run_program(octet, "import", path, "--output", bundle)
    apart, largest = 0, 0.0
    for feeds in cases:
        wanted = peer.reference(str(path), feeds)
        got = onnx_models.run_bundle(octet, bundle, feeds, names, root)
        for name, expected in zip(names, wanted):
            if not np.all(np.isfinite(expected)):
                raise AssertionError(f"ONNX Runtime's {name} is not finite")
            if expected.dtype.kind in "iu":
                apart = max(apart, steps(got[name], expected))
            else:
                largest = max(largest, peer.difference(got[name], expected))
    return apart, largest


def check(name, build, most_steps, bound, octet, root):
    try:
        model, cases = build()
    except FileNotFoundError as error:  # a model that is not the project's own
        print(f"not there: {error}")
        return
    apart, largest = compare(octet, model, cases, root)
    print(f"{name}: {apart} steps, {largest:.2g}")
    assert apart <= most_steps and largest <= bound, (
        f"{apart} steps, {largest:.3g}; wants {most_steps}, {bound}")


def main():
    checks = {name: functools.partial(check, name, *parts) for name, parts in MODELS.items()}
    return onnx_models.run_checks(checks, f"ONNX Runtime {onnxruntime.__version__}")


if __name__ == "__main__":
    sys.exit(main())
