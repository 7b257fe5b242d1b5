# SPDX-License-Identifier: Apache-2.0
"""Writes this folder's files with TensorFlow: small recurrent networks of Keras, trained and converted to
TensorFlow Lite with full integer quantization, and one of dynamic range.

    make_fixtures.py [FOLDER [NAME]]

NAME.tflite; NAME.x.npy, rows for it, quantized where its input is; NAME.y.npy, what TensorFlow's interpreter answers; and
NAME.float.npy, what Keras does. It wants ../tfmot/requirements.txt installed.
"""

import os
import pathlib
import sys
import tempfile

os.environ.update(TF_USE_LEGACY_KERAS="1", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent
ROWS = 60
CLASSES = 3
layers = tf.keras.layers


def network(batch, steps, width, *recurrent):
    """Whose last layer looks at all that the recurrent ones give."""
    return tf.keras.Sequential([layers.Input((steps, width), batch_size=batch), *recurrent,
                                layers.Dense(CLASSES)])


def last():
    return network(1, 12, 5, layers.LSTM(9))


def sequence():
    return network(1, 40, 3, layers.LSTM(12, return_sequences=True))


def one_step():
    return network(1, 1, 6, layers.LSTM(5))


def stacked():
    return network(1, 10, 4, layers.LSTM(16, return_sequences=True), layers.LSTM(7))


def backwards():
    return network(1, 9, 4, layers.LSTM(8, return_sequences=True, go_backwards=True))


def batch():
    return network(4, 8, 3, layers.LSTM(6))


def bidirectional():
    return network(1, 11, 4, layers.Bidirectional(layers.LSTM(6, return_sequences=True)))


def dynamic():
    """Of weights that are large enough for the converter to make integers of all of them."""
    return network(1, 6, 32, layers.LSTM(48))


def data(model, rng):
    """Rows whose class is where their mean over time is largest."""
    batch_size, *shape = model.input_shape
    x = rng.normal(size=(ROWS * batch_size, *shape)).astype(np.float32)
    label = x.mean(axis=1)[:, :CLASSES].argmax(-1)
    if len(model.output_shape) == 3:
        label = np.repeat(label[:, None], shape[0], axis=1)
    return x, label


def train(model, x, label):
    batch_size = model.input_shape[0]
    # A copy for any batch learns faster than the network does row by row.
    free = tf.keras.Sequential([layers.Input(model.input_shape[1:]),
                                *[type(layer).from_config(layer.get_config())
                                  for layer in model.layers]])
    free.compile(tf.keras.optimizers.Adam(0.02),
                 tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    free.fit(x, label, epochs=30, batch_size=20, verbose=0)
    model.set_weights(free.get_weights())
    return np.concatenate([model(x[row:row + batch_size])
                           for row in range(0, len(x), batch_size)])


def converted(model, x, is_integer):
    batch_size = model.input_shape[0]
    function = tf.function(lambda rows: model(rows)).get_concrete_function(
        tf.TensorSpec(model.input_shape, tf.float32))
    with tempfile.TemporaryDirectory() as folder:
        # Only of a saved model with a fixed batch the converter makes one operator of an LSTM.
        model.save(folder, save_format="tf", signatures=function)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if is_integer:
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int8
            converter.representative_dataset = lambda: (
                [x[row:row + batch_size]] for row in range(0, len(x), batch_size))
        return converter.convert()


def answers(content, x, batch_size):
    """The rows as the model takes them, and what comes out for them."""
    interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero_point = source["quantization"]
    q = x
    if source["dtype"] == np.int8:
        q = np.clip(np.rint(x / scale) + zero_point, -128, 127).astype(np.int8)
    parts = []
    for row in range(0, len(q), batch_size):
        interpreter.reset_all_variables()
        interpreter.set_tensor(source["index"], q[row:row + batch_size])
        interpreter.invoke()
        parts.append(interpreter.get_tensor(result["index"]).copy())
    return q, np.concatenate(parts)


def write(folder, make):
    tf.keras.utils.set_random_seed(5)
    model = make()
    x, label = data(model, np.random.default_rng(3))
    real = train(model, x, label)
    content = converted(model, x, make is not dynamic)
    (folder / f"{make.__name__}.tflite").write_bytes(content)
    shown = 20 * model.input_shape[0]
    q, y = answers(content, x[:shown], model.input_shape[0])
    np.save(folder / f"{make.__name__}.x.npy", q)
    np.save(folder / f"{make.__name__}.y.npy", y)
    np.save(folder / f"{make.__name__}.float.npy", real[:shown])


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(exist_ok=True)
    for make in (last, sequence, one_step, stacked, backwards, batch, bidirectional, dynamic):
        if len(sys.argv) < 3 or sys.argv[2] == make.__name__:
            write(folder, make)


if __name__ == "__main__":
    main()
