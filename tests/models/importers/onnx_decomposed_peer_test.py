# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime against Octet: quantization that a file writes step by step, imported as integers.

    onnx_decomposed_peer_test.py [OCTET [FILTER]]

OCTET is the path of the program `octet`, OCTET_BIN_DIR/octet if not given. Only models whose name
contains FILTER are tried. ONNX Runtime computes each step as it is written; how many elements differ
is printed, and bounded: none where the file divides by the scale, a step each for some where it
multiplies with the inverse, or adds the zero point before it rounds. A whole network is integers here
and real numbers there: it is also compared with what ONNX Runtime answers for the same network written
with QuantizeLinear and DequantizeLinear, which it makes integers of. What PyTorch exported
(tests/golden/onnx_quantized) is compared with its own answers, too.
"""

import json
import pathlib
import sys

try:
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import TensorProto
    from tests.models.importers import onnx_peer_test as peer
    from tests.support import onnx_models
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "golden/onnx_quantized"
SCALE = np.float32(0.0235)
# How many steps elements may be apart, and those of a network behind five others.
MOST_STEPS, MOST_NETWORK_STEPS = 1, 2
# The part of a network's elements that may be, and that may be from its twin.
MOST_APART, MOST_TWIN_APART = 0.1, 0.03
SEED = 2026
NETWORK_OUTPUTS = ["quantized", "real"]
# What a float network between quantized ones is made of, and a network of integers is not.
OF_STEPS = {"ElementwiseFunction", "Maximum", "Divide", "MatMul"}
# Ties, quotients beyond the range, and ordinary ones.
VALUES = np.concatenate([(np.arange(-400, 400, dtype=np.float32) / 2) * SCALE,
                         peer.noise(3200, scale=2)]).astype(np.float32).reshape(4, 1000)


class Builder(peer.Builder):
    """With quantization in single steps, in one of many forms."""

    def number(self, value):
        return self.constant(np.asarray(value, np.float32))

    def zero_point(self, value, form):
        """A zero point as float32, that a byte or int64 is cast to where the form says so."""
        if "cast_zero" not in form:
            return self.number(value)
        kind = np.int64 if "wide" in form else np.uint8 if value > 0 else np.int8
        return self.add("Cast", self.constant(np.asarray(value, kind)), to=TensorProto.FLOAT)

    def scaled(self, x, scale, form):
        if "inverse" in form:
            return self.add("Mul", x, self.number(np.float32(1) / np.float32(scale)))
        if "reciprocal" in form:
            return self.add("Mul", x, self.add("Reciprocal", self.number(scale)))
        return self.add("Div", x, self.number(scale))

    def clipped(self, x, low, high, form):
        if "max_min" in form:
            return self.add("Min", self.add("Max", x, self.number(low)), self.number(high))
        return self.add("Clip", x, self.number(low), self.number(high))

    def quantize(self, x, scale, zero, kind, form, bounds=None):
        """To `kind`, or to whole numbers of float32 where the form is without casts."""
        info = np.iinfo(kind)
        low, high = bounds or (info.min, info.max)
        if "linear" in form:
            x = self.add("QuantizeLinear", x, self.number(scale), self.constant(kind(zero)))
            if bounds is None:
                return x
            return self.add("Clip", x, self.constant(kind(low)), self.constant(kind(high)))
        x = self.scaled(x, scale, form)
        if "clip_first" in form:
            x = self.add("Round", self.clipped(x, low - zero, high - zero, form))
            if zero:
                x = self.add("Add", x, self.zero_point(zero, form))
        elif "late_round" in form:
            x = self.add("Round", self.add("Add", x, self.zero_point(zero, form)))
            x = self.clipped(x, low, high, form)
        else:
            x = self.add("Round", x)
            if "int32" in form:
                x = self.add("Cast", x, to=TensorProto.INT32)
                x = self.add("Add", x, self.constant(np.int32(zero)))
                x = self.add("Clip", x, self.constant(np.int32(low)), self.constant(np.int32(high)))
            else:
                if zero:
                    x = self.add("Add", x, self.zero_point(zero, form))
                x = self.clipped(x, low, high, form)
        if "no_cast" in form:
            return x
        return self.add("Cast", x, to=onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind)))

    def dequantize(self, q, scale, zero, form, kind=np.uint8):
        if "linear" in form:
            return self.add("DequantizeLinear", q, self.number(scale), self.constant(kind(zero)))
        scale = np.asarray(scale, np.float32)
        if "wide" in form:
            q = self.add("Cast", q, to=TensorProto.INT64)
            q = self.add("Sub", q, self.constant(np.int64(zero)))
            q = self.add("Cast", q, to=TensorProto.FLOAT)
        else:
            if "no_cast" not in form:
                q = self.add("Cast", q, to=TensorProto.FLOAT)
            if zero:
                q = self.add("Sub", q, self.zero_point(zero, form))
        return self.add("Mul", q, self.number(scale))

    def both(self, x, scale, zero, kind, form, bounds=None):
        return self.dequantize(self.quantize(x, scale, zero, kind, form, bounds), scale, zero, form,
                               kind)


def round_trip(form, kind=np.uint8, zero=131, bounds=None):
    """Quantized and dequantized; the integers are an output where there are any."""
    def make():
        b = Builder(opset=18)
        x = b.input("x", ["n", 1000])
        q = b.quantize(x, SCALE, zero, kind, form, bounds)
        if "no_cast" not in form:
            b.output(q, onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind)))
        b.output(b.dequantize(q, SCALE, zero, form))
        return b.model(), [{"x": VALUES}]
    return make


def per_channel():
    """Activations with a scale for each channel."""
    b = Builder(opset=18)
    x = b.input("x", ["n", 3, 40])
    scale = b.constant(np.array([0.01, 0.02, 0.03], np.float32).reshape(3, 1))
    zero = b.constant(np.array([3, 120, 255], np.float32).reshape(3, 1))
    q = b.add("Add", b.add("Round", b.add("Div", x, scale)), zero)
    q = b.add("Cast", b.clipped(q, 0, 255, ""), to=TensorProto.UINT8)
    b.output(q, TensorProto.UINT8)
    b.output(b.add("Mul", b.add("Sub", b.add("Cast", q, to=TensorProto.FLOAT), zero), scale))
    return b.model(), [{"x": peer.noise(5, 3, 40)}]


def integer_weight(b, form, *shape, axis=0):
    """int8 weights behind their own steps, a scale each along the first axis; in other forms real
    weights that are quantized in the graph, or that are such products already."""
    dims = [1] * len(shape)
    dims[axis] = shape[axis]
    scale = peer.RNG.uniform(0.002, 0.01, dims).astype(np.float32)
    q = peer.RNG.integers(-127, 128, shape).astype(np.int8)
    if "linear" in form and "fake_weights" not in form:
        return b.add("DequantizeLinear", b.constant(q), b.constant(scale.ravel()), axis=axis)
    if "folded" in form:
        return b.constant(q.astype(np.float32) * scale)
    if "fake_weights" in form:
        real = b.constant((peer.noise(*shape) * 20 * scale).astype(np.float32))
        if "linear" in form:
            one = b.constant(scale.ravel())
            q = b.add("QuantizeLinear", real, one, b.constant(np.zeros(scale.size, np.int8)),
                      axis=axis)
            return b.add("DequantizeLinear", q, one, axis=axis)
        steps = b.add("Round", b.add("Div", real, b.constant(scale)))
        return b.add("Mul", b.clipped(steps, -127, 127, form), b.constant(scale))
    return b.dequantize(b.constant(q), scale, 0, "wide" if "wide" in form else "")


def network(form, kind=np.uint8, bounds=None, bias="float"):
    """Convolutions, an addition, a pool and two products, all between quantized tensors."""
    def make(form=form):
        peer.RNG = np.random.default_rng(SEED)
        b = Builder(opset=18)
        low = np.iinfo(kind).min

        def quantized(x, scale, zero):
            return b.both(x, scale, zero + low, kind, form, bounds)

        def bias_of(count):
            if bias == "none":
                return ()
            return (b.floats(count),)
        x = quantized(b.input("x", ["n", 3, 9, 8]), 0.03, 120 if bounds is None else 60)
        y = b.add("Conv", x, integer_weight(b, form, 8, 3, 3, 3), *bias_of(8), pads=[1, 1, 1, 1])
        y = quantized(b.add("Relu", y), 0.02, 0)
        z = b.add("Conv", y, integer_weight(b, form, 8, 1, 3, 3), *bias_of(8), group=8,
                  pads=[1, 1, 1, 1])
        z = quantized(z, 0.0231, 128 if bounds is None else 64)
        y = quantized(b.add("Add", y, z), 0.0377, 100 if bounds is None else 50)
        y = b.add("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2])
        y = quantized(b.add("Flatten", quantized(y, 0.0377, 100 if bounds is None else 50)), 0.0377,
                      90)
        y = b.add("Gemm", y, integer_weight(b, form, 16, 128), *bias_of(16), transB=1)
        y = quantized(y, 0.05, 110 if bounds is None else 55)
        y = b.add("MatMul", y, integer_weight(b, form, 16, 10, axis=1))
        y = quantized(y, 0.04, 120 if bounds is None else 70)
        real = b.add("Gemm", y, integer_weight(b, form, 6, 10), b.floats(6), transB=1)
        for value, name in zip((y, real), NETWORK_OUTPUTS):
            b.nodes.append(onnx.helper.make_node("Identity", [value], [name]))
            b.output(name)
        return b.model(), [{"x": peer.noise(n, 3, 9, 8)} for n in (1, 6)]
    return make


REDUCED = (0, 127)
# One quantization: the model, and the largest part of the elements that may differ.
MODELS = {
    "divided": (round_trip(""), 0),
    "divided_s8": (round_trip("", np.int8, -3), 0),
    "symmetric": (round_trip("", np.int8, 0), 0),
    "max_min": (round_trip("max_min"), 0),
    "clip_first": (round_trip("clip_first"), 0),
    "cast_zero": (round_trip("cast_zero"), 0),
    "wide": (round_trip("cast_zero wide"), 0),
    "int32": (round_trip("int32 wide"), 0),
    "no_cast": (round_trip("no_cast"), 0),
    "no_cast_symmetric": (round_trip("no_cast", np.int8, 0, (-127, 127)), 0),
    "no_cast_max_min": (round_trip("no_cast max_min", np.int8, 5), 0),
    "reduced": (round_trip("", np.uint8, 66, REDUCED), 0),
    "reduced_s8": (round_trip("", np.int8, 2, (-64, 63)), 0),
    "per_channel": (per_channel, 0),
    "inverse": (round_trip("inverse"), 0.02),
    "reciprocal": (round_trip("reciprocal max_min", np.int8, -3), 0.02),
    "late_round": (round_trip("late_round"), 0.1),
}
# Networks: the form, the type, the range, the bias.
NETWORKS = {
    "network": ("", np.uint8, None, "float"),
    "network_s8": ("max_min", np.int8, None, "float"),
    "network_inverse": ("inverse wide", np.uint8, None, "float"),
    "network_no_cast": ("no_cast clip_first", np.uint8, None, "float"),
    "network_reduced": ("inverse", np.uint8, REDUCED, "float"),
    "network_fake_weights": ("no_cast fake_weights", np.int8, None, "float"),
    "network_folded": ("inverse folded", np.uint8, None, "float"),
    "network_without_bias": ("reciprocal cast_zero", np.uint8, None, "none"),
}


def inspected(octet, bundle):
    """The operators of a bundle's steps, and the modes of its layers."""
    described = json.loads(onnx_models.run_program(octet, "inspect", bundle, "--json"))
    return ([step["operator"] for step in described["steps"]],
            [layer["mode"] for layer in described["layers"]])


def apart(got, wanted):
    """How many elements differ, and by how much at most: steps of integers or of a quantized
    tensor."""
    if got.shape != wanted.shape:
        raise onnx_models.Refused(f"got shape {got.shape}, wants {wanted.shape}")
    difference = np.abs(got.astype(np.float64) - wanted.astype(np.float64))
    if wanted.dtype.kind in "iu":
        return int(np.count_nonzero(difference)), float(difference.max())
    levels = np.unique(wanted)
    step = np.diff(levels).min() if len(levels) > 1 else 1.0
    return int(np.count_nonzero(difference > step / 2)), float(difference.max() / step)


def compare_network(octet, bundle, path, cases, root):
    """How far the quantized output is from `path`'s in ONNX Runtime: elements, of so many, steps. The
    other output, behind a product of the first, is real."""
    count = total = 0
    largest = 0.0
    for feeds in cases:
        wanted, real = peer.reference(str(path), feeds)
        got = onnx_models.run_bundle(octet, bundle, feeds, NETWORK_OUTPUTS, root)
        differing, steps = apart(got[NETWORK_OUTPUTS[0]], wanted)
        count, total, largest = count + differing, total + wanted.size, max(largest, steps)
        if peer.difference(got[NETWORK_OUTPUTS[1]], real) > 0.1:
            raise onnx_models.Refused("its real output differs by "
                                      f"{peer.difference(got[NETWORK_OUTPUTS[1]], real):g}")
    return count, total, largest


def check_network(octet, name, build, form, root):
    found = {}
    for kind, written in (("as it is written", None), ("with its twin", f"{form} linear")):
        model, cases = build() if written is None else build(written)
        path = root / f"{kind.replace(' ', '_')}.onnx"
        onnx.save(model, path)
        if written is None:
            bundle = root / "model" / "1"
            onnx_models.run_program(octet, "import", path, "--output", bundle)
            steps, modes = inspected(octet, bundle)
            if OF_STEPS & set(steps) or set(modes) != {"int8_static"}:
                raise onnx_models.Refused(f"its steps are {steps}, its layers {modes}")
        found[kind] = compare_network(octet, bundle, path, cases, root)
        count, total, largest = found[kind]
        print(f"{name}, {kind}: {count} of {total} elements differ, by {largest:.3g} steps at most")
    for (count, total, largest), most, steps in zip(
            found.values(), (MOST_APART, MOST_TWIN_APART), (MOST_NETWORK_STEPS, MOST_STEPS)):
        if count > most * total or not largest <= steps + 0.01:
            raise onnx_models.Refused(f"{count} of {total} elements differ, by {largest:g} steps")


def check(octet, name, build, most, root):
    model, cases = build()
    path, bundle = root / "model.onnx", root / "model" / "1"
    onnx.save(model, path)
    onnx_models.run_program(octet, "import", path, "--output", bundle)
    found, _ = inspected(octet, bundle)
    if "Quantize" not in found and name != "per_channel":
        raise onnx_models.Refused(f"its steps are {found}, wants Quantize")
    names = [value.name for value in model.graph.output]
    count = total = 0
    largest = 0.0
    for feeds in cases:
        wanted = peer.reference(str(path), feeds)
        got = onnx_models.run_bundle(octet, bundle, feeds, names, root)
        for output, expected in zip(names, wanted):
            differing, steps = apart(got[output], expected)
            count, total, largest = count + differing, total + expected.size, max(largest, steps)
    print(f"{name}: {count} of {total} elements differ, by {largest:.3g} steps at most")
    if count > most * total or not largest <= MOST_STEPS + 0.01:
        raise onnx_models.Refused(f"{count} of {total} elements differ, by {largest:g} steps")


def check_exported(octet, path, root):
    """What PyTorch exported answers as its own quantized network, and as in ONNX Runtime."""
    bundle = root / "model" / "1"
    onnx_models.run_program(octet, "import", path, "--output", bundle)
    found, modes = inspected(octet, bundle)
    # The two convolutions in front of a Relu and a pool stay as they are written, in ONNX Runtime too.
    if OF_STEPS & set(found) or sorted(modes) != 2 * ["float"] + 3 * ["int8_static"]:
        raise onnx_models.Refused(f"its steps are {found}, its layers {modes}")
    images = np.load(GOLDEN / "images.npy")
    got = onnx_models.run_bundle(octet, bundle, {"x": images}, ["y"], root)["y"]
    torch = peer.difference(got, np.load(GOLDEN / f"{path.stem.split('_')[0]}.npy"))
    theirs = peer.difference(got, peer.reference(str(path), {"x": images})[0])
    print(f"{path.name}: {torch:.2g} from PyTorch, {theirs:.2g} from ONNX Runtime")
    if not max(torch, theirs) <= 0.01:
        raise onnx_models.Refused(f"differs by {max(torch, theirs):g} of the largest output")


def main():
    checks = {name: lambda octet, root, name=name, build=build, most=most: check(
        octet, name, build, most, root) for name, (build, most) in MODELS.items()}
    checks |= {name: lambda octet, root, name=name, parts=parts: check_network(
        octet, name, network(*parts), parts[0], root) for name, parts in NETWORKS.items()}
    files = sorted(GOLDEN.glob("*.onnx"))
    assert len(files) == 6, files
    checks |= {path.stem: lambda octet, root, path=path: check_exported(octet, path, root)
               for path in files}
    return onnx_models.run_checks(checks, f"ONNX Runtime {onnxruntime.__version__}")


if __name__ == "__main__":
    sys.exit(main())
