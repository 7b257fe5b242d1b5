# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime against Octet: Einsum, CumSum, GatherElements, GatherND, OneHot and RotaryEmbedding;
rarer forms of BatchNormalization, Dropout, Gather, LayerNormalization, MaxPool, Pad, Pow and reductions.

    onnx_tensor_operators_peer_test.py [OCTET [FILTER]]

OCTET is the path of the program `octet`, OCTET_BIN_DIR/octet if not given. Only models whose name
contains FILTER are tried. Each has open batches and lengths, and is run for several.
"""

import functools
import sys

try:
    import numpy as np
    import onnxruntime
    from onnx import TensorProto, helper
    from tests.models.importers import onnx_peer_test as peer
    from tests.support import onnx_models
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

BOUND = 1e-5
MICROSOFT = "com.microsoft"


def whole_einsum(equation, *shapes):
    """One equation of a model without a batch."""
    def make():
        b = peer.Builder()
        names = [b.input(f"x{i}", shape) for i, shape in enumerate(shapes)]
        b.output(b.add("Einsum", *names, equation=equation))
        return b.model(), [{name: peer.noise(*shape) for name, shape in zip(names, shapes)}]
    return make


def einsum(equation, *shapes, constant=False, rows=(1, 3)):
    """One equation; a letter of a shape's first axis is the batch. The last operand may be a constant."""
    def make():
        b = peer.Builder()
        names = []
        for i, shape in enumerate(shapes):
            if constant and i == len(shapes) - 1:
                names.append(b.floats(*shape))
            else:
                names.append(b.input(f"x{i}", ["n", *shape[1:]]))
        b.output(b.add("Einsum", *names, equation=equation))
        inputs = [name for name in names if name.startswith("x")]
        return b.model(), [{name: peer.noise(n, *shapes[i][1:]) for i, name in enumerate(inputs)}
                           for n in rows]
    return make


def sums():
    b = peer.Builder()
    x, y = b.input("x", ["n", 4, "t"]), b.input("y", ["n", 3, 5], TensorProto.INT64)
    for axis in (1, -1):
        for exclusive in (0, 1):
            for reverse in (0, 1):
                b.output(b.add("CumSum", x, b.constant(np.int64(axis)), exclusive=exclusive,
                               reverse=reverse))
    b.output(b.add("CumSum", y, b.constant(np.int32(2)), reverse=1), TensorProto.INT64)
    image = b.add("Conv", b.add("Unsqueeze", x, b.ints(1)), b.floats(2, 1, 1, 1))
    b.output(b.add("CumSum", image, b.constant(np.int64(1))))  # over channels
    return b.model(), [{"x": peer.noise(n, 4, t), "y": peer.RNG.integers(-9, 9, (n, 3, 5))}
                       for n, t in ((1, 6), (3, 9))]


def elements():
    b = peer.Builder()
    x = b.input("x", ["n", 4, 6])
    wide = b.input("wide", ["n", 4, 9], TensorProto.INT64)
    deep = b.input("deep", ["n", 2, 6], TensorProto.INT32)
    b.output(b.add("GatherElements", x, wide, axis=2))
    b.output(b.add("GatherElements", x, deep, axis=-2))
    b.output(b.add("GatherElements", wide, wide, axis=2), TensorProto.INT64)
    b.output(b.add("GatherElements", b.add("Transpose", x, perm=[0, 2, 1]),
                   b.add("Transpose", deep, perm=[0, 2, 1]), axis=2))
    return b.model(), [{"x": peer.noise(n, 4, 6), "wide": peer.RNG.integers(-6, 6, (n, 4, 9)),
                        "deep": peer.RNG.integers(-4, 4, (n, 2, 6)).astype(np.int32)}
                       for n in (1, 3)]


def coordinates():
    """GatherND of constants, at places that a request says."""
    b = peer.Builder()
    two = b.input("two", ["n", "t", 2], TensorProto.INT64)
    one = b.input("one", ["n", 1], TensorProto.INT64)
    table = b.floats(4, 5, 3)
    b.output(b.add("GatherND", table, two))
    b.output(b.add("GatherND", b.floats(4, 5), two))
    b.output(b.add("GatherND", table, one))
    cases = []
    for n, t in ((1, 7), (3, 2)):
        places = np.stack([peer.RNG.integers(-4, 4, (n, t)), peer.RNG.integers(-5, 5, (n, t))], -1)
        cases.append({"two": places, "one": peer.RNG.integers(-4, 4, (n, 1))})
    return b.model(), cases


def slices():
    """GatherND of values, at places of their own in each row."""
    b = peer.Builder()
    x = b.input("x", ["n", 4, "t", 3])
    deep = b.input("deep", ["n", 5, 2], TensorProto.INT64)
    flat = b.input("flat", ["n", 4, 1], TensorProto.INT64)
    whole = b.input("whole", ["n", 4, 2], TensorProto.INT32)
    b.output(b.add("GatherND", x, deep, batch_dims=1))
    b.output(b.add("GatherND", x, flat, batch_dims=2))
    b.output(b.add("GatherND", x, b.add("Unsqueeze", deep, b.ints(2)), batch_dims=1))
    b.output(b.add("GatherND", whole, flat, batch_dims=2), TensorProto.INT32)
    image = b.add("Conv", b.add("Transpose", x, perm=[0, 1, 3, 2]), b.floats(4, 4, 1, 1))
    b.output(b.add("GatherND", image, flat, batch_dims=1))
    cases = []
    for n, t in ((1, 4), (3, 7)):
        deep = np.stack([peer.RNG.integers(-4, 4, (n, 5)), peer.RNG.integers(-t, t, (n, 5))], -1)
        cases.append({"x": peer.noise(n, 4, t, 3), "deep": deep,
                      "flat": peer.RNG.integers(-2, 2, (n, 4, 1)),
                      "whole": peer.RNG.integers(-9, 9, (n, 4, 2)).astype(np.int32)})
    return b.model(), cases


def slices_without_batch():
    """The same places, known, each time; and those of a request."""
    b = peer.Builder()
    x = b.input("x", [4, 5, 3])
    given = b.input("given", [4, 2, 1], TensorProto.INT64)
    b.output(b.add("GatherND", x, b.constant(np.array([[0, 4], [-1, -5]], np.int64))))
    b.output(b.add("GatherND", x, b.constant(np.array([[[2], [0]], [[-4], [3]]], np.int64))))
    b.output(b.add("GatherND", x, b.constant(np.array([[1], [0], [-1], [4]], np.int64)),
                   batch_dims=1))
    b.output(b.add("GatherND", x, given, batch_dims=1))
    b.output(b.add("GatherND", x, b.add("Reshape", given, b.ints(-1, 1))))
    return b.model(), [{"x": peer.noise(4, 5, 3), "given": peer.RNG.integers(-4, 4, (4, 2, 1))}]


def training(rank, opset=15):
    """Batch normalization by the statistics of the tensor itself."""
    def make():
        b = peer.Builder(opset)
        x = b.input("x", [3, 4, 5, 2][:rank])
        for momentum in (0.9, 0.25):
            parts = [b.floats(4), b.floats(4), b.floats(4),
                     b.constant(peer.RNG.uniform(0.5, 2, 4).astype(np.float32))]
            for name in b.add("BatchNormalization", x, *parts, outputs=3, training_mode=1,
                              momentum=momentum, epsilon=1e-3):
                b.output(name)
        given = [b.input(name, [4]) for name in ("scale", "bias", "mean", "variance")]
        b.output(b.add("BatchNormalization", x, *given, outputs=3, training_mode=1)[0])
        return b.model(), [{"x": peer.noise(*[3, 4, 5, 2][:rank], scale=3)}
                           | {name: peer.RNG.uniform(0.5, 2, 4).astype(np.float32)
                              for name in given}]
    return make


def training_of_a_batch():
    b = peer.Builder(15)
    x = b.input("x", ["n", 4, 5])
    b.output(b.add("BatchNormalization", x, *(b.floats(4) for _ in range(4)), outputs=3,
                   training_mode=1)[0])
    return b.model(), []


def place_outside():
    b = peer.Builder()
    x = b.input("x", [4, 5])
    b.output(b.add("GatherND", x, b.ints(3, 5)))
    return b.model(), []


def one_hot():
    b = peer.Builder()
    x = b.input("x", ["n", 5], TensorProto.INT64)
    real = b.input("real", ["n", 3])
    values = b.constant(np.array([-1, 2], np.float32))
    for axis in (-1, 1):
        b.output(b.add("OneHot", x, b.constant(np.int64(7)), values, axis=axis))
    b.output(b.add("OneHot", x, b.constant(np.array([4], np.int64)),
                   b.constant(np.array([0, 1], np.int64))), TensorProto.INT64)
    b.output(b.add("OneHot", real, b.constant(np.float32(6)), values))
    return b.model(), [{"x": peer.RNG.integers(-9, 9, (n, 5)),
                        "real": peer.RNG.integers(-6, 6, (n, 3)).astype(np.float32)}
                       for n in (1, 4)]


def statistics():
    """A layer normalization's mean and inverse deviation, over one axis and over two."""
    b = peer.Builder()
    x = b.input("x", ["n", 4, 6])
    for axis, shape in ((-1, (6,)), (1, (4, 6))):
        for name in b.add("LayerNormalization", x, b.floats(*shape), b.floats(*shape), axis=axis,
                          epsilon=1e-3, outputs=3):
            b.output(name)
    image = b.add("Transpose", x, perm=[0, 2, 1])
    b.output(b.add("LayerNormalization", image, b.floats(4), outputs=3)[2])
    return b.model(), [{"x": peer.noise(n, 4, 6)} for n in (1, 3)]


def powers():
    """The base's type is the result's; each exponent both of a request and a constant."""
    b = peer.Builder()
    real, whole = b.input("real", ["n", 4]), b.input("whole", ["n", 4], TensorProto.INT32)
    wide = b.input("wide", ["n", 1], TensorProto.INT64)
    for exponent in (wide, whole, b.ints(3), b.ints(2, -1, 0, 1)):
        b.output(b.add("Pow", real, exponent))
    for exponent in (wide, whole, b.ints(2), b.ints(3, 2, 1, 0), b.constant(np.float32(2)),
                     b.constant(np.float32(1.5)), b.add("Abs", real)):
        b.output(b.add("Pow", whole, exponent), TensorProto.INT32)
    b.output(b.add("Pow", wide, whole), TensorProto.INT64)
    b.output(b.add("Pow", b.ints(-3), wide), TensorProto.INT64)
    return b.model(), [{"real": peer.RNG.uniform(0.5, 2, (n, 4)).astype(np.float32),
                        "whole": peer.RNG.integers(1, 6, (n, 4)).astype(np.int32),
                        "wide": peer.RNG.integers(0, 5, (n, 1))} for n in (1, 3)]


def pads():
    """Borders of the tensor's own elements, some axes open, some shortened."""
    b = peer.Builder(opset=19)
    x = b.input("x", ["n", 4, "t"])
    for mode in ("edge", "reflect", "wrap"):
        b.output(b.add("Pad", x, b.ints(0, 1, 2, 0, 3, 1), mode=mode))
        b.output(b.add("Pad", x, b.ints(0, 0, 2, 0, -1, 3), mode=mode))
    image = b.add("Conv", b.add("Unsqueeze", x, b.ints(1)), b.floats(2, 1, 1, 1))
    b.output(b.add("Pad", image, b.ints(0, 1, 1, 0, 0, 0, 2, 1), mode="reflect"))
    b.output(b.add("Pad", image, b.ints(2, 3), b.constant(np.float32(0)), b.ints(-1), mode="edge"))
    return b.model(), [{"x": peer.noise(n, 4, t)} for n, t in ((1, 5), (3, 8))]


def dilated_pools():
    b = peer.Builder()
    x, line = b.input("x", ["n", 3, 11, 9]), b.input("line", ["n", 2, 14])
    b.output(b.add("MaxPool", x, kernel_shape=[2, 3], dilations=[3, 2]))
    b.output(b.add("MaxPool", x, kernel_shape=[3, 3], dilations=[2, 2], strides=[2, 3],
                   pads=[1, 2, 2, 1]))
    b.output(b.add("MaxPool", x, kernel_shape=[3, 2], dilations=[1, 3], strides=[2, 2],
                   ceil_mode=1))
    b.output(b.add("MaxPool", line, kernel_shape=[6], dilations=[2]))
    b.output(b.add("MaxPool", line, kernel_shape=[4], dilations=[3], strides=[3], pads=[3, 3]))
    b.output(b.add("MaxPool", line, kernel_shape=[3], dilations=[3], strides=[2], pads=[2, 1]))
    return b.model(), [{"x": peer.noise(n, 3, 11, 9), "line": peer.noise(n, 2, 14)}
                       for n in (1, 3)]


def masks():
    """What Dropout keeps: all, be it NaN or 0."""
    b = peer.Builder()
    x = b.input("x", ["n", 4, "t"])
    value, mask = b.add("Dropout", b.add("Relu", x), outputs=2)
    b.output(value)
    b.output(mask, TensorProto.BOOL)
    return b.model(), [{"x": peer.noise(n, 4, t)} for n, t in ((1, 3), (2, 5))]


def tables_of_places():
    """Gather of an activation with a table of indices; one axis behind it open."""
    b = peer.Builder()
    x = b.input("x", ["n", 4, "t"])
    table = b.constant(np.array([[0, 1, -1], [3, 2, 0]], np.int64))
    b.output(b.add("Gather", x, table, axis=1))
    image = b.add("Conv", b.add("Unsqueeze", x, b.ints(1)), b.floats(3, 1, 1, 1))
    b.output(b.add("Gather", image, b.constant(np.array([[2], [0]], np.int64)), axis=1))
    b.output(b.add("Gather", image, table, axis=2))
    return b.model(), [{"x": peer.noise(n, 4, t)} for n, t in ((1, 3), (2, 5))]


def elements_without_batch():
    """The model as a whole is run once a row: constant indices serve each."""
    b = peer.Builder()
    x = b.input("x", [4, 6])
    for shape, axis in (((4, 3), 1), ((2, 6), 0), ((3, 9), -1)):
        b.output(b.add("GatherElements", x, b.constant(peer.RNG.integers(-4, 4, shape)), axis=axis))
    return b.model(), [{"x": peer.noise(4, 6)}]


def flags():
    """Extremes of booleans; comparisons of bytes."""
    b = peer.Builder(opset=20)
    x, bytes_ = b.input("x", ["n", 3, 4], TensorProto.BOOL), b.input("b", ["n", 5],
                                                                    TensorProto.INT8)
    for axes, keeps in (((1,), 1), ((-1,), 0), ((1, 2), 0)):
        for op in ("ReduceMax", "ReduceMin"):
            b.output(b.add(op, x, b.ints(*axes), keepdims=keeps), TensorProto.BOOL)
    bound = b.constant(np.array(-3, np.int8))
    for op in ("Less", "Greater", "LessOrEqual"):
        b.output(b.add(op, bytes_, bound), TensorProto.BOOL)
    return b.model(), [{"x": peer.RNG.integers(0, 5, (n, 3, 4)) > 0,
                        "b": peer.RNG.integers(-128, 128, (n, 5)).astype(np.int8)}
                       for n in (1, 4)]


def rotary(domain, rank, interleaved, width=0):
    """Of 4 heads of 16, the positions given by the request."""
    def make():
        b = peer.Builder(opset=23)
        shape = ["n", "t", 64] if rank == 3 else ["n", 4, "t", 16]
        x = b.input("x", shape)
        positions = b.input("positions", ["n", "t"], TensorProto.INT64)
        angles = np.arange(20)[:, None] / 7.0 ** np.arange((width or 16) // 2)[None, :]
        tables = [b.constant(f(angles).astype(np.float32)) for f in (np.cos, np.sin)]
        inputs = [x, positions, *tables] if domain else [x, *tables, positions]
        attributes = {"interleaved": interleaved, "rotary_embedding_dim": width}
        if width or (rank == 3 and not domain):
            attributes["num_heads"] = 4
        if domain:
            attributes["domain"] = domain
        b.output(b.add("RotaryEmbedding", *inputs, **attributes))
        model = b.model()
        model.ir_version = 10
        if domain:
            model.opset_import.append(helper.make_opsetid(domain, 1))
        cases = []
        for n, t in ((1, 5), (3, 9)):
            x = peer.noise(n, t, 64) if rank == 3 else peer.noise(n, 4, t, 16)
            cases.append({"x": x, "positions": peer.RNG.integers(0, 20, (n, t))})
        return model, cases
    return make


def single(op, *inputs, kind=TensorProto.FLOAT, **attributes):
    """One node over an image; the other inputs are constants."""
    def make():
        b = peer.Builder()
        x = b.input("x", ["n", 2, 5, 5], kind)
        b.output(b.add(op, x, *(b.constant(np.array(value)) for value in inputs), **attributes),
                 kind)
        return b.model(), []
    return make


MODELS = {
    "einsum_transpose": einsum("nij->nji", (0, 3, 4)),
    "einsum_sum": einsum("nijk->nj", (0, 3, 4, 2)),
    "einsum_implicit": einsum("nij", (0, 3, 4)),
    "einsum_matmul": einsum("bij, bjk -> bik", (0, 3, 4), (0, 4, 5)),
    "einsum_scores": einsum("bqhd,bkhd->bhqk", (0, 5, 2, 4), (0, 6, 2, 4)),
    "einsum_values": einsum("bhqk,bkhd->bqhd", (0, 2, 5, 6), (0, 6, 2, 4)),
    "einsum_layer": einsum("bhwc,cd->bhwd", (0, 3, 4, 5), (5, 6), constant=True),
    "einsum_heads": einsum("btc,chd->bthd", (0, 3, 6), (6, 2, 4), constant=True),
    "einsum_heads_back": einsum("bthd,hdc->btc", (0, 3, 2, 4), (2, 4, 6), constant=True),
    "einsum_ellipsis": einsum("...ij,jk->...ik", (0, 2, 3, 4), (4, 5), constant=True),
    "einsum_outer": einsum("bi,bj->bij", (0, 3), (0, 4)),
    "einsum_scaled": einsum("bij,bi->bij", (0, 3, 4), (0, 3)),
    "einsum_rows": einsum("bi,bi->b", (0, 6), (0, 6)),
    "einsum_merged": einsum("bijk,bjkl->bil", (0, 3, 2, 4), (0, 2, 4, 5)),
    "einsum_summed_first": einsum("bijx,bjk->bik", (0, 3, 4, 2), (0, 4, 5)),
    "einsum_diagonal": einsum("nii->ni", (0, 3, 3)),
    "einsum_diagonal_apart": einsum("nijik->nkij", (0, 3, 2, 3, 4)),
    "einsum_trace": einsum("niji->nj", (0, 3, 2, 3)),
    "einsum_diagonals": einsum("niiijj->nji", (0, 3, 3, 3, 2, 2)),
    "einsum_diagonal_product": einsum("nii,nij->nj", (0, 3, 3), (0, 3, 4)),
    "einsum_diagonal_of_constant": einsum("ni,ijj->nj", (0, 3), (3, 4, 4), constant=True),
    "einsum_diagonal_whole": whole_einsum("ii->i", (5, 5)),
    "einsum_trace_whole": whole_einsum("...ii->...", (2, 4, 4)),
    "cumulative_sums": sums,
    "elements": elements,
    "coordinates": coordinates,
    "slices": slices,
    "slices_without_batch": slices_without_batch,
    "training_2": training(2),
    "training_4": training(4),
    "training_opset_14": training(3, 14),
    "one_hot": one_hot,
    "elements_without_batch": elements_without_batch,
    "flags": flags,
    "tables_of_places": tables_of_places,
    "pads": pads,
    "dilated_pools": dilated_pools,
    "masks": masks,
    "powers": powers,
    "statistics": statistics,
}
MODELS |= {f"rotary_{'theirs' if domain else 'onnx'}_{rank}_{interleaved}_{width}":
           rotary(domain, rank, interleaved, width)
           for domain in ("", MICROSOFT) for rank in (3, 4) for interleaved in (0, 1)
           for width in (0, 8)}

# What is refused, and what is said.
REFUSED = {
    "a diagonal of an open size": einsum("ntt->nt", (0, "t", "t"), rows=()),
    "an answer must not depend on who shares the batch": training_of_a_batch,
    "index 5 along axis 2, wants -5 to 4": place_outside,
    "more than two operands": einsum("ni,ni,ni->n", (0, 3), (0, 3), (0, 3)),
    "axes of different sizes": einsum("nij,njk->nik", (0, 3, 4), (0, 5, 6)),
    "an axis that no operand has": einsum("ni->nx", (0, 3)),
    "a pool of integers with dilations": single("MaxPool", kind=TensorProto.INT8,
                                                kernel_shape=[2, 2], dilations=[2, 2]),
    "a window that spans 9 over 5 pixels": single("MaxPool", kernel_shape=[5, 2],
                                                  dilations=[2, 2]),
    "of an axis that is shortened on its other side": single("Pad", [0, 0, 1, 0, 0, 0, -1, 0],
                                                             mode="reflect"),
    '"mode" is "mirror"': single("Pad", [0, 0, 1, 0, 0, 0, 1, 0], mode="mirror"),
}


def check(name, build, octet, root):
    largest = peer.compare(octet, *build(), root)
    print(f"{name}: {largest:.2g}")
    assert largest <= BOUND, f"differs by {largest:g} of the largest output"


def main():
    checks = {name: functools.partial(check, name, build) for name, build in MODELS.items()}
    checks |= {text: lambda octet, root, text=text, build=build: onnx_models.check_refused(
        octet, text, build()[0], root) for text, build in REFUSED.items()}
    return onnx_models.run_checks(checks, f"ONNX Runtime {onnxruntime.__version__}")


if __name__ == "__main__":
    sys.exit(main())
