# SPDX-License-Identifier: Apache-2.0
"""Networks of Keras 2 as people have them, with random weights: small ones of every kind, and the real
sizes of Keras's applications. Each is a function that gives a model."""

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot

layers = tf.keras.layers
Input, Model = tf.keras.Input, tf.keras.Model


class Positions(layers.Layer):
    """A table of positions, as long as the sequence is."""

    def build(self, shape):
        self.table = self.add_weight(name="table", shape=(32, shape[-1]),
                                     initializer="random_normal")

    def call(self, x):
        return x + self.table[:tf.shape(x)[1]][tf.newaxis]


class ClassToken(layers.Layer):
    def build(self, shape):
        self.token = self.add_weight(name="token", shape=(1, 1, shape[-1]),
                                     initializer="random_normal")

    def call(self, x):
        return tf.concat([tf.tile(self.token, [tf.shape(x)[0], 1, 1]), x], 1)


def perceptron():
    x = Input((20,), name="x")
    y = layers.BatchNormalization()(layers.Dense(16, activation="relu")(x))
    y = layers.LayerNormalization()(layers.Dense(12, activation="swish")(layers.Dropout(0.2)(y)))
    return Model(x, layers.Dense(5, activation="softmax")(y))


def activations():
    x = Input((12,), name="x")
    names = ("elu", "selu", "gelu", "hard_sigmoid", "softplus", "softsign", "tanh", "exponential")
    parts = [layers.Dense(3, activation=name)(x) for name in names]
    y = layers.Dense(6)(x)
    parts += [layers.PReLU()(y), layers.LeakyReLU(0.2)(y), layers.ReLU(1.5, 0.1, 0.2)(y)]
    return Model(x, layers.Concatenate()(parts))


def convolutional():
    x = Input((16, 16, 3), name="x")
    y = layers.Conv2D(6, 3, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.DepthwiseConv2D(3, padding="same")(layers.MaxPooling2D(3, 2, padding="same")(y))
    y = layers.SeparableConv2D(8, 3, strides=2, padding="same", activation="relu")(y)
    return Model(x, layers.Dense(5)(layers.Flatten()(layers.AveragePooling2D(2)(y))))


def convolutional_channels_first():
    return convolutional()


def any_image():
    """Images of any size, with a squeeze and an excitation."""
    x = Input((None, None, 3), name="x")
    y = layers.Activation("swish")(layers.Conv2D(8, 3, strides=2, padding="same")(x))
    scale = layers.GlobalAveragePooling2D(keepdims=True)(y)
    scale = layers.Conv2D(8, 1, activation="sigmoid")(layers.Conv2D(2, 1, activation="relu")(scale))
    y = layers.Multiply()([y, scale])
    return Model(x, layers.Dense(4)(layers.GlobalMaxPooling2D()(y)))


def segmentation():
    x = Input((16, 16, 3), name="x")
    fine = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    coarse = layers.Conv2D(6, 3, padding="same", activation="relu")(layers.MaxPooling2D()(fine))
    y = layers.Concatenate()([
        fine, layers.UpSampling2D(2)(coarse), layers.UpSampling2D(2, interpolation="bilinear")(coarse),
        layers.Conv2DTranspose(3, 3, strides=2, padding="same")(coarse)])
    return Model(x, layers.Conv2D(2, 1, activation="sigmoid")(y))


def two_inputs():
    """Two outputs as well; each input has an open dimension of its own."""
    numbers, categories = Input((5,), name="numbers"), Input((2,), dtype="int32", name="categories")
    a = layers.Dense(8, activation="relu")(numbers)
    b = layers.Dense(8)(layers.Flatten()(layers.Embedding(10, 4)(categories)))
    return Model([numbers, categories], [layers.Dense(3)(layers.Concatenate()([a, b])),
                                         layers.Dot(-1, normalize=True)([a, b])])


def token_convolutions():
    ids = Input((None,), dtype="int32", name="ids")
    y = layers.Conv1D(8, 3, padding="same", activation="relu")(layers.Embedding(40, 6)(ids))
    y = layers.Conv1D(8, 3, padding="causal", dilation_rate=2)(y)
    return Model(ids, layers.Dense(3)(layers.GlobalMaxPooling1D()(layers.SeparableConv1D(6, 3)(y))))


def lstm():
    ids = Input((None,), dtype="int32", name="ids")
    y = layers.LSTM(6, return_sequences=True)(layers.Embedding(40, 6)(ids))
    return Model(ids, layers.Dense(3)(layers.LSTM(5)(y)))


def gru():
    ids = Input((None,), dtype="int32", name="ids")
    y = layers.GRU(6, return_sequences=True)(layers.Embedding(40, 6)(ids))
    return Model(ids, layers.TimeDistributed(layers.Dense(3))(layers.GRU(5, return_sequences=True)(y)))


def bidirectional(kind):
    ids = Input((None,), dtype="int32", name="ids")
    y = layers.Bidirectional(kind(5, return_sequences=True))(layers.Embedding(40, 6)(ids))
    return Model(ids, layers.Dense(3, activation="softmax")(layers.Bidirectional(kind(4))(y)))


def backwards():
    x = Input((None, 4), name="x")
    return Model(x, [layers.LSTM(5, go_backwards=True)(x),
                     layers.GRU(5, go_backwards=True, return_sequences=True)(x)])


def unrolled():
    x = Input((4, 3), name="x")
    return Model(x, [layers.LSTM(4, unroll=True)(x), layers.GRU(4, unroll=True)(x),
                     layers.SimpleRNN(4, unroll=True)(x)])


def translation():
    """The state of one LSTM begins another."""
    source, target = Input((None, 4), name="source"), Input((None, 3), name="target")
    _, hidden, cell = layers.LSTM(6, return_state=True)(source)
    y = layers.LSTM(6, return_sequences=True)(target, initial_state=[hidden, cell])
    return Model([source, target], layers.Dense(5)(y))


def text_in_images():
    x = Input((8, 16, 1), name="x")
    y = layers.MaxPooling2D()(layers.Conv2D(4, 3, padding="same", activation="relu")(x))
    y = layers.Reshape((8, 16))(layers.Permute((2, 1, 3))(y))
    y = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(y)
    return Model(x, layers.Dense(6, activation="softmax")(y))


def encoder(x, mask=None, epsilon=1e-3):
    for _ in range(2):
        y = layers.MultiHeadAttention(2, 4)(x, x, attention_mask=mask)
        x = layers.LayerNormalization(epsilon=epsilon)(x + y)
        y = layers.Dense(8)(layers.Dense(16, activation="gelu")(x))
        x = layers.LayerNormalization(epsilon=epsilon)(x + y)
    return x


def transformer():
    """Ids and a mask, of any length; layer normalization in one step and in several."""
    ids, mask = Input((None,), dtype="int32", name="ids"), Input((None,), dtype="int32", name="mask")
    x = Positions()(layers.Embedding(40, 8)(ids))
    keys = layers.Lambda(lambda m: tf.cast(m[:, tf.newaxis], tf.bool))(mask)
    x = encoder(encoder(x, keys), keys, 1e-6)
    return Model([ids, mask], [layers.Dense(3)(x[:, 0]), layers.GlobalAveragePooling1D()(x)])


def vision_transformer():
    x = Input((16, 16, 3), name="x")
    y = layers.Reshape((16, 8))(layers.Conv2D(8, 4, strides=4)(x))
    return Model(x, layers.Dense(3)(encoder(Positions()(ClassToken()(y)))[:, 0]))


def detector():
    """Two scales with boxes around the points of a grid."""
    x = Input((32, 32, 3), name="x")

    def boxes(y, stride, anchors):
        size = y.shape[1]
        y = tf.reshape(y, (tf.shape(y)[0], size, size, 2, 8))
        centre, extent, objectness, classes = tf.split(y, (2, 2, 1, 3), -1)
        grid = tf.stack(tf.meshgrid(tf.range(size), tf.range(size)), -1)[:, :, tf.newaxis]
        centre = (tf.sigmoid(centre) + tf.cast(grid, tf.float32)) * stride
        extent = tf.exp(extent) * tf.constant(anchors, tf.float32)
        found = [centre - extent / 2, centre + extent / 2, tf.sigmoid(objectness), tf.sigmoid(classes)]
        return tf.reshape(tf.concat(found, -1), (tf.shape(y)[0], -1, 8))

    y = layers.LeakyReLU(0.1)(layers.Conv2D(4, 3, strides=4, padding="same")(x))
    coarse = layers.Conv2D(6, 3, strides=2, padding="same", activation="relu")(y)
    fine = layers.Concatenate()(
        [layers.Lambda(lambda t: tf.image.resize(t, (8, 8), "nearest"))(coarse), y])
    found = [layers.Lambda(lambda t: boxes(t, 4.0, [[3, 4], [5, 6]]))(layers.Conv2D(16, 1)(fine)),
             layers.Lambda(lambda t: boxes(t, 8.0, [[9, 8], [12, 11]]))(layers.Conv2D(16, 1)(coarse))]
    return Model(x, layers.Concatenate(1)(found))


def preprocessing():
    """Bytes, resized, with other channels first, less their mean."""
    x = Input((20, 24, 3), dtype="uint8", name="x")

    def prepared(image):
        image = tf.image.resize(tf.cast(image, tf.float32), (12, 12))
        return (image[..., ::-1] - tf.constant([103.9, 116.8, 123.7])) / 57.0

    y = layers.Conv2D(4, 3, activation="relu")(layers.Lambda(prepared)(x))
    return Model(x, layers.Dense(3)(layers.GlobalAveragePooling2D()(y)))


def depth_to_space():
    x = Input((8, 8, 2), name="x")
    y = layers.Lambda(lambda t: tf.nn.space_to_depth(t, 2))(x)
    y = layers.Conv2D(8, 3, padding="same")(y)
    return Model(x, layers.Lambda(lambda t: tf.nn.depth_to_space(t, 2))(y))


def volumes():
    x = Input((4, 6, 6, 2), name="x")
    y = layers.MaxPooling3D()(layers.Conv3D(4, 3, padding="same", activation="relu")(x))
    return Model(x, layers.Dense(3)(layers.GlobalAveragePooling3D()(y)))


def trained(model, size):
    """`model`, trained a little with quantization in mind."""
    model = tfmot.quantization.keras.quantize_model(model)
    model.compile("adam", "sparse_categorical_crossentropy")
    x = np.random.default_rng(3).normal(size=(64, *size)).astype(np.float32)
    model.fit(x, np.arange(len(x)) % 4, epochs=2, verbose=0)
    return model


def quantized_perceptron():
    x = Input((12,), name="x")
    y = layers.Dense(8, activation="relu")(x)
    return trained(Model(x, layers.Dense(4, activation="softmax")(y)), (12,))


def quantized_images():
    x = Input((8, 8, 3), name="x")
    y = layers.Conv2D(6, 3, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.Add()([y, layers.DepthwiseConv2D(3, padding="same")(y)])
    y = layers.GlobalAveragePooling2D()(layers.MaxPooling2D()(y))
    return trained(Model(x, layers.Dense(4, activation="softmax")(y)), (8, 8, 3))


# Each with the opset that it is exported with.
SMALL = {
    "activations": (activations, 15),
    "any_image": (any_image, 15),
    "backwards": (backwards, 15),
    "bidirectional_gru": (lambda: bidirectional(layers.GRU), 13),
    "bidirectional_lstm": (lambda: bidirectional(layers.LSTM), 15),
    "convolutional": (convolutional, 9),
    "convolutional_channels_first": (convolutional_channels_first, 15),
    "depth_to_space": (depth_to_space, 13),
    "detector": (detector, 13),
    "gru": (gru, 15),
    "lstm": (lstm, 9),
    "perceptron": (perceptron, 18),
    "preprocessing": (preprocessing, 15),
    "quantized_images": (quantized_images, 13),
    "quantized_perceptron": (quantized_perceptron, 15),
    "segmentation": (segmentation, 11),
    "text_in_images": (text_in_images, 17),
    "token_convolutions": (token_convolutions, 17),
    "transformer": (transformer, 15),
    "transformer_newer": (transformer, 18),
    "translation": (translation, 17),
    "two_inputs": (two_inputs, 15),
    "unrolled": (unrolled, 15),
    "vision_transformer": (vision_transformer, 17),
    "volumes": (volumes, 15),
}


def application(name, size, **options):
    return lambda: getattr(tf.keras.applications, name)(
        input_shape=(size, size, 3), weights=None, classes=10, **options)


REAL = {
    "densenet121": (application("DenseNet121", 64), 15),
    "efficientnet_b0": (application("EfficientNetB0", 64), 15),
    "inception_v3": (application("InceptionV3", 96), 15),
    "mobilenet": (application("MobileNet", 64), 9),
    "mobilenet_v2": (application("MobileNetV2", 64), 13),
    "mobilenet_v3": (application("MobileNetV3Small", 64), 15),
    "nasnet_mobile": (application("NASNetMobile", 64), 15),
    "resnet50": (application("ResNet50", 64), 17),
    "xception": (application("Xception", 96), 15),
}
