#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the zoo's two models on the handwritten digits that scikit-learn ships.

    KERAS_BACKEND=jax python3 models/zoo/train_digits.py models/zoo

writes into the given folder:
    keras/digits_cnn.keras, keras/digits_mlp.keras   the trained models
    data/digits_{calibration,test}_images.npy        float32 [n, 8, 8, 1], pixels / 16
    data/digits_test_labels.npy                      int64 [n]

models/zoo/build_repository.sh makes the bundles from these files. The test images were never seen
in training; the calibration images are part of the training set.
"""

import pathlib
import sys

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 20250101
NUM_CALIBRATION = 300


def build_cnn() -> keras.Model:
    """Convolution, batch normalization, depthwise convolution, pooling, dense: 40 k weights."""
    return keras.Sequential(
        [
            layers.Input((8, 8, 1), name="image"),
            layers.Conv2D(32, 3, padding="same", use_bias=False, name="conv1"),
            layers.BatchNormalization(name="norm1"),
            layers.ReLU(name="relu1"),
            layers.Conv2D(64, 3, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(2, name="pool1"),
            layers.DepthwiseConv2D(3, padding="same", activation="relu", name="depthwise"),
            layers.Conv2D(64, 1, activation="relu", name="pointwise"),
            layers.MaxPooling2D(2, name="pool2"),
            layers.Flatten(name="flatten"),
            layers.Dropout(0.3, name="dropout"),
            layers.Dense(64, activation="relu", name="dense1"),
            layers.Dense(10, activation="softmax", name="probabilities"),
        ],
        name="digits",
    )


def build_mlp() -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((64,), name="pixels"),
            layers.Dense(128, activation="relu", name="dense1"),
            layers.Dropout(0.2, name="dropout"),
            layers.Dense(64, activation="relu", name="dense2"),
            layers.Dense(10, activation="softmax", name="probabilities"),
        ],
        name="digits_mlp",
    )


def train(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> None:
    model.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, 60 * 23)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(images, labels, epochs=60, batch_size=64, verbose=0)


def main() -> int:
    root = pathlib.Path(sys.argv[1])
    (root / "keras").mkdir(parents=True, exist_ok=True)
    (root / "data").mkdir(parents=True, exist_ok=True)
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32)
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels, test_size=360, random_state=SEED, stratify=labels
    )
    keras.utils.set_random_seed(SEED)
    models = (("digits_cnn", build_cnn(), (-1, 8, 8, 1)), ("digits_mlp", build_mlp(), (-1, 64)))
    for name, model, shape in models:
        train(model, train_x.reshape(shape), train_y)
        accuracy = model.evaluate(test_x.reshape(shape), test_y, verbose=0)[1]
        print(f"{name}: {model.count_params()} parameters, test accuracy {accuracy:.4f}")
        # A model that was never compiled is saved without the optimizer's state, two thirds of it.
        inference = keras.Sequential.from_config(model.get_config())
        inference.set_weights(model.get_weights())
        inference.save(root / "keras" / f"{name}.keras")
    calibration_x = train_x[:NUM_CALIBRATION]
    data = root / "data"
    np.save(data / "digits_calibration_images.npy", calibration_x.reshape(-1, 8, 8, 1))
    np.save(data / "digits_test_images.npy", test_x.reshape(-1, 8, 8, 1))
    np.save(data / "digits_test_labels.npy", test_y.astype(np.int64))
    return 0


if __name__ == "__main__":
    sys.exit(main())
