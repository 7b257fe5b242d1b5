# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime against Octet: LSTM, GRU and RNN, whichever dimension is the batch and however many of
them are open; lengths, initial states, peepholes.

    onnx_recurrent_peer_test.py [OCTET [FILTER]]

OCTET is the path of the program `octet`, OCTET_BIN_DIR/octet if not given. Only models whose name
contains FILTER are tried.
"""

import functools
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

BOUND = 1e-5
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
INPUTS, UNITS = 5, 6
STEPS, SEQUENCES = 7, 3


def ways_of(direction):
    return 2 if direction == "bidirectional" else 1


def add_layer(b, op, x, direction="forward", width=INPUTS, lengths="", states=(), peepholes="",
              **attributes):
    """All outputs of one layer of UNITS: Y, Y_h and of an LSTM Y_c."""
    ways = ways_of(direction)
    rest = [lengths, *states]
    if peepholes:
        rest += [""] * (3 - len(rest)) + [peepholes]
    return b.add(op, x, b.floats(ways, GATES[op] * UNITS, width),
                 b.floats(ways, GATES[op] * UNITS, UNITS), b.floats(ways, 2 * GATES[op] * UNITS),
                 *rest, outputs=3 if op == "LSTM" else 2, hidden_size=UNITS, direction=direction,
                 **attributes)


def time_first(op, direction, steps=STEPS, sequences=SEQUENCES, cases=((STEPS, SEQUENCES),),
               **attributes):
    """[time, batch, inputs], each of them fixed or open."""
    def make():
        b = peer.Builder()
        x = b.input("x", [steps, sequences, INPUTS])
        for name in add_layer(b, op, x, direction, **attributes):
            b.output(name)
        return b.model(), [{"x": peer.noise(*case, INPUTS)} for case in cases]
    return make


def known_lengths(op, direction):
    def make():
        b = peer.Builder()
        x = b.input("x", [STEPS, SEQUENCES, INPUTS])
        lengths = b.constant(np.array([4, STEPS, 0], np.int32))
        for name in add_layer(b, op, x, direction, lengths=lengths):
            b.output(name)
        return b.model(), [{"x": peer.noise(STEPS, SEQUENCES, INPUTS)}]
    return make


def all_of_one_length(length):
    """Of an open number of sequences: constants that are as many as there were."""
    def make():
        b = peer.Builder()
        x = b.add("Transpose", b.input("x", [SEQUENCES, STEPS, INPUTS]), perm=[1, 0, 2])
        lengths = b.constant(np.full(SEQUENCES, length, np.int32))
        y, *states = add_layer(b, "GRU", x, "bidirectional", lengths=lengths)
        b.output(b.add("Transpose", y, perm=[2, 0, 1, 3]))
        for state in states:
            b.output(b.add("Transpose", state, perm=[1, 0, 2]))
        return b.model(), [{"x": peer.noise(SEQUENCES, STEPS, INPUTS)}]
    return make


def given_lengths(op, direction):
    """A batch of sequences, and how long each of them is."""
    def make():
        b = peer.Builder()
        x = b.add("Transpose", b.input("x", ["n", "t", INPUTS]), perm=[1, 0, 2])
        lengths = b.input("lengths", ["n"], TensorProto.INT32)
        y, *states = add_layer(b, op, x, direction, lengths=lengths)
        b.output(b.add("Transpose", y, perm=[2, 0, 1, 3]))
        for state in states:
            b.output(b.add("Transpose", state, perm=[1, 0, 2]))
        return b.model(), [{"x": peer.noise(n, t, INPUTS),
                            "lengths": peer.RNG.integers(1, t + 1, n).astype(np.int32)}
                           for n, t in ((1, 4), (4, 9))]
    return make


def given_lengths_time_first():
    b = peer.Builder()
    x = b.input("x", ["t", SEQUENCES, INPUTS])
    lengths = b.input("lengths", [SEQUENCES], TensorProto.INT32)
    for name in add_layer(b, "LSTM", x, "bidirectional", lengths=lengths):
        b.output(name)
    return b.model(), [{"x": peer.noise(t, SEQUENCES, INPUTS),
                        "lengths": np.array([t, 1, t // 2], np.int32)} for t in (4, 40)]


def known_states(op, direction):
    """Another state for each sequence of a fixed number."""
    def make():
        b = peer.Builder()
        x = b.input("x", [STEPS, SEQUENCES, INPUTS])
        count = 2 if op == "LSTM" else 1
        states = [b.floats(ways_of(direction), SEQUENCES, UNITS, scale=1) for _ in range(count)]
        for name in add_layer(b, op, x, direction, states=states):
            b.output(name)
        return b.model(), [{"x": peer.noise(STEPS, SEQUENCES, INPUTS)}]
    return make


def packed():
    """As PyTorch writes pad_packed_sequence: lengths of int64, all else open."""
    b = peer.Builder()
    x = b.input("x", ["t", "n", INPUTS])
    lengths = b.add("Cast", b.input("lengths", ["n"], TensorProto.INT64), to=TensorProto.INT32)
    for name in add_layer(b, "LSTM", x, "bidirectional", lengths=lengths):
        b.output(name)
    return b.model(), [{"x": peer.noise(t, n, INPUTS),
                        "lengths": peer.RNG.integers(1, t + 1, n)} for t, n in ((1, 1), (9, 4))]


def learned_state():
    """One state for however many sequences there are, as an exporter stretches it."""
    b = peer.Builder()
    x = b.input("x", ["n", "t", INPUTS])
    rows = b.add("Gather", b.add("Shape", x), b.ints(0), axis=0)
    shape = b.add("Concat", b.ints(2), rows, b.ints(UNITS), axis=0)
    states = [b.add("Expand", b.floats(2, 1, UNITS, scale=1), shape),
              b.add("Expand", b.floats(1, 1, UNITS, scale=1), shape)]
    y, *last = add_layer(b, "LSTM", b.add("Transpose", x, perm=[1, 0, 2]), "bidirectional",
                         states=states)
    b.output(b.add("Transpose", y, perm=[2, 0, 1, 3]))
    for state in last:
        b.output(b.add("Transpose", state, perm=[1, 0, 2]))
    return b.model(), [{"x": peer.noise(n, t, INPUTS)} for n, t in ((1, 4), (3, 9))]


def given_states(op, direction):
    def make():
        b = peer.Builder()
        x = b.input("x", [STEPS, SEQUENCES, INPUTS])
        shape = (ways_of(direction), SEQUENCES, UNITS)
        states = [b.input(name, shape) for name in ("h", "c")[:2 if op == "LSTM" else 1]]
        for name in add_layer(b, op, x, direction, states=states):
            b.output(name)
        return b.model(), [{"x": peer.noise(STEPS, SEQUENCES, INPUTS)}
                           | {name: peer.noise(*shape) for name in states}]
    return make


def peepholes(direction):
    def make():
        b = peer.Builder()
        x = b.input("x", [STEPS, SEQUENCES, INPUTS])
        ways = ways_of(direction)
        states = [b.floats(ways, SEQUENCES, UNITS, scale=1) for _ in range(2)]
        for name in add_layer(b, "LSTM", x, direction, states=states,
                              peepholes=b.floats(ways, 3 * UNITS, scale=1)):
            b.output(name)
        return b.model(), [{"x": peer.noise(STEPS, SEQUENCES, INPUTS)}]
    return make


def stacked(op, sequences, cases):
    """Two layers in both directions and a matrix, as PyTorch writes batch_first=False."""
    def make():
        b = peer.Builder()
        x = b.input("x", [STEPS, sequences, INPUTS])
        states = []
        for width in (INPUTS, 2 * UNITS):
            rows = b.add("Gather", b.add("Shape", x), b.ints(1), axis=0)
            zeros = b.add("Expand", b.constant(np.zeros((2, 1, UNITS), np.float32)),
                          b.add("Concat", b.ints(2), rows, b.ints(UNITS), axis=0))
            y, *last = add_layer(b, op, x, "bidirectional", width,
                                 states=[zeros] * (2 if op == "LSTM" else 1))
            states.append(last)
            x = b.add("Reshape", b.add("Transpose", y, perm=[0, 2, 1, 3]), b.ints(0, 0, -1))
        b.output(b.add("Add", b.add("MatMul", x, b.floats(2 * UNITS, 3)), b.floats(3)))
        for parts in zip(*states):
            b.output(b.add("Concat", *parts, axis=0))
        return b.model(), [{"x": peer.noise(STEPS, n, INPUTS)} for n in cases]
    return make


def bad(lengths=None, states=None, batch=SEQUENCES):
    """A model that is refused."""
    def make():
        b = peer.Builder()
        x = b.input("x", [STEPS, batch, INPUTS])
        more = {}
        if lengths is not None:
            more["lengths"] = b.constant(np.array(lengths, np.int32))
        if states is not None:
            more["states"] = [b.floats(*states)]
        b.output(add_layer(b, "GRU", x, **more)[0])
        return b.model(), []
    return make


MODELS = {}
for _op in GATES:
    for _direction in ("forward", "reverse", "bidirectional"):
        _name = f"{_op.lower()}_{_direction}"
        MODELS |= {
            f"{_name}_fixed": time_first(_op, _direction),
            f"{_name}_known_lengths": known_lengths(_op, _direction),
            f"{_name}_given_lengths": given_lengths(_op, _direction),
            f"{_name}_known_states": known_states(_op, _direction),
            f"{_name}_given_states": given_states(_op, _direction),
        }
    MODELS |= {
        f"{_op.lower()}_open_batch": time_first(_op, "bidirectional", sequences="n",
                                                cases=((STEPS, 1), (STEPS, 4))),
        f"{_op.lower()}_open": time_first(_op, "bidirectional", "t", "n", ((3, 1), (40, 4))),
        f"{_op.lower()}_one": time_first(_op, "reverse", "t", 1, ((3, 1), (40, 1))),
        f"{_op.lower()}_stacked": stacked(_op, SEQUENCES, (SEQUENCES,)),
        f"{_op.lower()}_stacked_open": stacked(_op, "n", (1, 4)),
    }
MODELS |= {
    "gru_fixed_resets_after": time_first("GRU", "bidirectional", linear_before_reset=1),
    "lstm_hard_sigmoid": time_first("LSTM", "forward",
                                    activations=["HardSigmoid", "Tanh", "Tanh"]),
    "lstm_hard_sigmoids": time_first(
        "LSTM", "bidirectional", activations=["HardSigmoid", "Tanh", "Tanh", "HardSigmoid",
                                              "Softsign", "Softsign"],
        activation_alpha=[0.3, 0.1], activation_beta=[0.4]),
    "gru_hard_sigmoid": time_first("GRU", "reverse", activations=["HardSigmoid", "HardSigmoid"],
                                   activation_alpha=[0.7, 0.5], activation_beta=[0.4, 0.3]),
    "rnn_hard_sigmoid": time_first("RNN", "forward", activations=["HardSigmoid"],
                                   activation_alpha=[0.25], activation_beta=[0.3]),
    "lstm_hard_sigmoid": time_first("LSTM", "forward",
                                    activations=["HardSigmoid", "Tanh", "Tanh"]),
    "lstm_hard_sigmoids": time_first(
        "LSTM", "bidirectional", activations=["HardSigmoid", "Tanh", "Tanh", "HardSigmoid",
                                              "Softsign", "Softsign"],
        activation_alpha=[0.3, 0.1], activation_beta=[0.4]),
    "gru_hard_sigmoid": time_first("GRU", "reverse", activations=["HardSigmoid", "HardSigmoid"],
                                   activation_alpha=[0.7, 0.5], activation_beta=[0.4, 0.3]),
    "rnn_hard_sigmoid": time_first("RNN", "forward", activations=["HardSigmoid"],
                                   activation_alpha=[0.25], activation_beta=[0.3]),
    "gru_length_of_all": all_of_one_length(STEPS),
    "gru_length_below_all": all_of_one_length(STEPS - 2),
    "lstm_given_lengths_time_first": given_lengths_time_first,
    "lstm_learned_state": learned_state,
    "lstm_packed": packed,
    "lstm_peepholes": peepholes("forward"),
    "lstm_peepholes_reverse": peepholes("reverse"),
    "lstm_peepholes_bidirectional": peepholes("bidirectional"),
}

# What is refused, and what is said.
REFUSED = {
    "a length of 8 in its sequence_lens, wants 0 to [7]": bad([1, 8, 2]),
    "a length of -1 in its sequence_lens, wants 0 to [7]": bad([1, -1, 2]),
    "got 2 sequence_lens for 3 sequences": bad([1, 2]),
    "sequence_lens that are known, of an open number of sequences": bad([1, 2, 3], batch="n"),
    "an initial state is FP32[1, 3, 4], wants FP32[1, 3, 6]": bad(states=(1, 3, 4)),
    "an initial state of 2 sequences for 3": bad(states=(1, 2, UNITS)),
    "an initial state that is known, of an open number": bad(states=(1, 3, UNITS), batch="n"),
}


def check(name, build, octet, root):
    largest = peer.compare(octet, *build(), root)
    print(f"{name}: {largest:.2g}")
    assert largest <= BOUND, f"differs by {largest:g} of the largest output"


def check_namesakes(octet, root):
    """Two layers whose nodes have one name, which ONNX Runtime refuses, have weights of their own."""
    b = peer.Builder()
    x = b.input("x", [STEPS, SEQUENCES, INPUTS])
    for _ in range(2):
        b.output(add_layer(b, "GRU", x, states=[b.floats(1, SEQUENCES, UNITS, scale=1)])[0])
    model, feeds = b.model(), {"x": peer.noise(STEPS, SEQUENCES, INPUTS)}
    wanted = peer.reference(model, feeds)
    for node in model.graph.node:
        node.name = "layer"
    onnx.save(model, root / "model.onnx")
    onnx_models.run_program(octet, "import", root / "model.onnx", "--output", root / "m" / "1")
    names = [value.name for value in model.graph.output]
    got = onnx_models.run_bundle(octet, root / "m" / "1", feeds, names, root)
    for name, array in zip(names, wanted):
        assert peer.difference(got[name], array) <= BOUND, name


def check_batch_first(octet, root, op, is_given):
    """ONNX Runtime refuses layout 1, which is the other layout's with the first two axes exchanged."""
    b, first = peer.Builder(), peer.Builder()
    lengths = np.array([4, STEPS, 1], np.int32)
    states = [peer.noise(2, SEQUENCES, UNITS) for _ in range(2 if op == "LSTM" else 1)]
    feeds = {"x": peer.noise(STEPS, SEQUENCES, INPUTS)}
    more = {builder: {} for builder in (b, first)}
    if is_given:
        feeds |= {"lengths": lengths} | {name: state for name, state in zip("hc", states)}
    for builder, rows in ((b, SEQUENCES), (first, "n")):
        def turned(axes, builder=builder):
            return [axes[1], axes[0], *axes[2:]] if builder is first else axes
        rows = rows if is_given else SEQUENCES
        builder.input("x", turned([STEPS, rows, INPUTS]))
        if is_given:
            builder.input("lengths", [rows], TensorProto.INT32)
            more[builder] = {"lengths": "lengths", "states": [
                builder.input(name, turned([2, rows, UNITS])) for name, _ in zip("hc", states)]}
        else:
            more[builder] = {"lengths": builder.constant(lengths), "states": [
                builder.constant(state if builder is b else state.swapaxes(0, 1))
                for state in states]}
    for name in add_layer(b, op, "x", "bidirectional", **more[b]):
        b.output(name)
    wanted = peer.reference(b.model(), feeds)
    weights = b.constants[-3:]
    names = add_layer(first, op, "x", "bidirectional", layout=1, **more[first])
    for constant, weight in zip(first.constants[-3:], weights):
        name = constant.name
        constant.CopyFrom(weight)
        constant.name = name
    for name in names:
        first.output(name)
    onnx.save(first.model(), root / "model.onnx")
    onnx_models.run_program(octet, "import", root / "model.onnx", "--output", root / "m" / "1")
    feeds = {name: array.swapaxes(0, 1) if array.ndim > 1 else array
             for name, array in feeds.items()}
    got = onnx_models.run_bundle(octet, root / "m" / "1", feeds, names, root)
    for i, (name, array) in enumerate(zip(names, wanted)):
        array = array.transpose(2, 0, 1, 3) if i == 0 else array.swapaxes(0, 1)
        difference = peer.difference(got[name], array)
        print(f"{op}, layout 1, {name}: {difference:.2g}")
        assert difference <= BOUND, name


def main():
    checks = {name: functools.partial(check, name, build) for name, build in MODELS.items()}
    checks["gru_namesakes"] = check_namesakes
    for op in GATES:
        for is_given in (False, True):
            checks[f"{op.lower()}_batch_first_{'given' if is_given else 'known'}"] = (
                functools.partial(check_batch_first, op=op, is_given=is_given))
    checks |= {text: lambda octet, root, text=text, build=build: onnx_models.check_refused(
        octet, text, build()[0], root) for text, build in REFUSED.items()}
    return onnx_models.run_checks(checks, f"ONNX Runtime {onnxruntime.__version__}")


if __name__ == "__main__":
    sys.exit(main())
