# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime against Octet: Resize and Upsample of every mode, to many sizes.

    onnx_resize_peer_test.py [OCTET [FILTER]]

OCTET is the path of the program `octet`, OCTET_BIN_DIR/octet if not given. Only models whose name
contains FILTER are tried. Each has an open batch and is run for two.
"""

import functools
import itertools
import sys

try:
    import numpy as np
    import onnxruntime
    from tests.models.importers import onnx_peer_test as peer
    from tests.support import onnx_models
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

BOUND = 1e-5
# No size of these puts a pixel's centre where float32 cannot tell on which side of a half it lies:
# ONNX Runtime rounds there.
CHANNELS, HEIGHT, WIDTH = 3, 8, 10
# [height, width]
SCALES = [(2, 3), (1.5, 1.5), (0.6, 0.7), (1, 0.3), (0.35, 2.25), (0.15, 0.1)]
SIZES = [(14, 20), (9, 11), (5, 4), (3, 23), (1, 1), (8, 10), (1, 30), (2, 2)]
# ONNX Runtime crops nothing where the size stays.
CROPPED = [pair for pair in SIZES if pair != (HEIGHT, WIDTH)]
OLD_SCALES = [(2, 3), (1.5, 1.5), (0.6, 0.7), (1, 0.3), (2.25, 1), (0.15, 0.1)]
COORDINATES = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]
ROUNDINGS = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]
REGION = [0, 0, 0.2, -0.15, 1, 1, 0.7, 1.3]


def image(b, shape=("n", CHANNELS, HEIGHT, WIDTH)):
    return b.input("x", list(shape))


def cases(*shape):
    return [{"x": peer.noise(n, *(shape or (CHANNELS, HEIGHT, WIDTH)))} for n in (1, 3)]


def scaled(b, x, pair, region="", **attributes):
    scales = b.constant(np.array([1, 1, *pair], np.float32))
    b.output(b.add("Resize", x, region, scales, **attributes))


def sized(b, x, pair, region="", **attributes):
    """`axes` need no batch, which is open."""
    b.output(b.add("Resize", x, region, "", b.ints(*pair), axes=[2, 3], **attributes))


def every_size(opset=19, scales=SCALES, sizes=SIZES, **attributes):
    def make():
        b = peer.Builder(opset=opset)
        x = image(b)
        for pair in scales:
            scaled(b, x, pair, **attributes)
        for pair in sizes:
            sized(b, x, pair, **attributes)
        return b.model(), cases()
    return make


def crop(**attributes):
    def make():
        b = peer.Builder(opset=19)
        x = image(b)
        for pair in CROPPED:
            for region in ([0.1, 0.2, 0.8, 0.9], [-0.3, 0.5, 0.6, 1.4], [0.9, 0.8, 0.1, 0.2]):
                sized(b, x, pair, b.constant(np.array(region, np.float32)),
                      coordinate_transformation_mode="tf_crop_and_resize", **attributes)
        scaled(b, x, (2, 1.5), b.constant(np.array(REGION, np.float32)),
               coordinate_transformation_mode="tf_crop_and_resize", **attributes)
        return b.model(), cases()
    return make


def proportions(**attributes):
    def make():
        b = peer.Builder(opset=19)
        x = image(b)
        for policy in ("not_larger", "not_smaller"):
            for pair in ((14, 15), (5, 5), (3, 20), (8, 8)):
                sized(b, x, pair, keep_aspect_ratio_policy=policy, **attributes)
        return b.model(), cases()
    return make


def some_axes():
    b = peer.Builder(opset=19)
    x = image(b)
    b.output(b.add("Resize", x, "", b.constant(np.array([1.5, 2], np.float32)), axes=[3, 2]))
    b.output(b.add("Resize", x, "", b.constant(np.array([2.5], np.float32)), axes=[-1],
                   mode="linear"))
    b.output(b.add("Resize", x, "", "", b.ints(4), axes=[2], mode="linear"))
    return b.model(), cases()


def before_half_pixels():
    """Opset 10, and the first operator that this node followed, in opset 9."""
    def make(opset, op, mode):
        b = peer.Builder(opset=opset)
        x = image(b)
        for pair in ((2, 2), (1.5, 3), (2.25, 1)) if op == "Upsample" else OLD_SCALES:
            b.output(b.add(op, x, b.constant(np.array([1, 1, *pair], np.float32)), mode=mode))
        return b.model(), cases()
    return {f"{op.lower()}_{opset}_{mode}": lambda o=opset, p=op, m=mode: make(o, p, m)
            for (opset, op), mode in itertools.product(((10, "Resize"), (9, "Upsample")),
                                                       ("nearest", "linear"))}


def sequence():
    b = peer.Builder(opset=19)
    x = image(b, ("n", CHANNELS, 11))
    for scale, mode in itertools.product((2, 1.5, 0.6), ("nearest", "linear")):
        scales = b.constant(np.array([1, 1, scale], np.float32))
        b.output(b.add("Resize", x, "", scales, mode=mode))
    return b.model(), cases(CHANNELS, 11)


MODELS = {f"nearest_{coordinates}_{rounding}":
          every_size(mode="nearest", coordinate_transformation_mode=coordinates,
                     nearest_mode=rounding)
          for coordinates in COORDINATES for rounding in ROUNDINGS}
MODELS |= {f"{mode}_{coordinates}":
           every_size(mode=mode, coordinate_transformation_mode=coordinates)
           for mode in ("linear", "cubic")
           for coordinates in [*COORDINATES, "half_pixel_symmetric"]}
MODELS |= {f"{mode}_antialias_{exclude}":
           every_size(mode=mode, antialias=1, exclude_outside=exclude)
           for mode, exclude in (("linear", 0), ("cubic", 0), ("cubic", 1))}
MODELS |= {f"cubic_{a}_{exclude}": every_size(mode="cubic", cubic_coeff_a=a,
                                              exclude_outside=exclude)
           for a in (-0.5, -0.75) for exclude in (0, 1)}
MODELS |= {f"crop_{mode}": crop(mode=mode, extrapolation_value=value)
           for mode, value in (("nearest", 4.0), ("linear", -2.5), ("cubic", 0.0))}
MODELS |= {f"proportions_{mode}": proportions(mode=mode) for mode in ("nearest", "linear", "cubic")}
MODELS |= before_half_pixels()
MODELS |= {"axes": some_axes, "sequence": sequence}


def refused(*inputs, **attributes):
    def make():
        b = peer.Builder(opset=19)
        x = image(b)
        b.output(b.add("Resize", x, *(b.constant(value) if value is not None else ""
                                      for value in inputs), **attributes))
        return b.model(), []
    return make


def mixed(op, opset):
    b = peer.Builder(opset=opset)
    b.output(b.add(op, image(b), b.constant(np.array([1, 1, 2, 0.5], np.float32))))
    return b.model(), []


TWICE = np.array([2, 2], np.float32)
# What is refused, and what is said.
REFUSED = {
    "has 2 scales, wants 4": refused(None, TWICE),
    "has 3 sizes, wants 2": refused(None, None, np.array([1, 2, 3]), axes=[2, 3]),
    "resizes the batch or the channels": refused(None, TWICE, axes=[1, 2]),
    "is given twice": refused(None, TWICE, axes=[2, -2]),
    "has neither scales nor sizes": refused(),
    "becomes 0, wants 1 to 1048576": refused(None, np.array([0.1, 1], np.float32), axes=[2, 3]),
    "becomes -16, wants 1 to 1048576": refused(None, np.array([-2, 1], np.float32), axes=[2, 3]),
    "its scales hold nan": refused(None, np.array([np.nan, 1], np.float32), axes=[2, 3]),
    "becomes inf, wants": refused(None, np.array([3e38, 1], np.float32), axes=[2, 3]),
    "a size of 9223372036854775807, wants": refused(None, None, np.array([2**63 - 1, 1]),
                                                    axes=[2, 3]),
    "has 0 numbers in its region, wants 4": refused(
        None, TWICE, axes=[2, 3], coordinate_transformation_mode="tf_crop_and_resize"),
    'its mode is "area", wants one of nearest, linear, cubic': refused(None, TWICE, axes=[2, 3],
                                                                       mode="area"),
    "more of one axis and less of another": lambda: mixed("Resize", 10),
    "a scale of 0.5, wants 1 or more": lambda: mixed("Upsample", 9),
    'antialias with mode "nearest"': refused(None, TWICE, axes=[2, 3], antialias=1),
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
