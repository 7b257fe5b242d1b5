# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime against Octet: quantized models, imported and run by the real program.

    onnx_quantized_peer_test.py [OCTET [FILTER]]

OCTET is the path of the program `octet`, OCTET_BIN_DIR/octet if not given. Only models whose name
contains FILTER are tried. Some are made here node by node, others by ONNX Runtime's own quantizer
of the float models of onnx_peer_test.py. Integers are compared by how many steps they are apart,
floats by the largest difference as a part of the largest output.
"""

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


S8, U8 = quantization.QuantType.QInt8, quantization.QuantType.QUInt8

# The model, the most steps that integers may be apart, and how far floats.
MODELS = {
    "linear_convolutions_u8s8": (lambda: linear_convolutions(np.uint8, np.int8), 0, FLOAT_BOUND),
    "linear_convolutions_u8u8": (lambda: linear_convolutions(np.uint8, np.uint8), 0, FLOAT_BOUND),
    "linear_convolutions_s8s8": (lambda: linear_convolutions(np.int8, np.int8), 0, FLOAT_BOUND),
    "linear_products": (linear_products, 0, FLOAT_BOUND),
    "integer_products": (integer_products, 0, FLOAT_BOUND),
    "microsoft_products": (microsoft_products, 0, FLOAT_BOUND),
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
            if expected.dtype.kind in "iu":
                apart = max(apart, steps(got[name], expected))
            else:
                largest = max(largest, peer.difference(got[name], expected))
    return apart, largest


def main():
    default = pathlib.Path(os.environ.get("OCTET_BIN_DIR", "build/dev/bin")) / "octet"
    octet = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else default)
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    if not octet.exists():
        print(f"skipped: {octet} is not there")
        return 77
    failures, count = [], 0
    for name, (build, most_steps, bound) in MODELS.items():
        if wanted not in name:
            continue
        count += 1
        with tempfile.TemporaryDirectory() as folder:
            try:
                apart, largest = compare(octet, *build(), pathlib.Path(folder))
                print(f"{name}: {apart} steps, {largest:.2g}")
                if apart > most_steps or not largest <= bound:
                    failures.append(f"{name}: {apart} steps, {largest:.3g}; wants {most_steps}, "
                                    f"{bound}")
            except (AssertionError, onnx_models.Refused) as error:
                failures.append(f"{name}: {error}")
    for failure in failures:
        print("FAILED", failure)
    print(f"ONNX Runtime {onnxruntime.__version__}: {count} models, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
