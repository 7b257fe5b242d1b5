# SPDX-License-Identifier: Apache-2.0
"""Makes the .onnx files beside it: small encoders with the layers of BERT, exported by both of
PyTorch's exporters, with inputs and the outputs that PyTorch itself computes.

    build/torch/bin/python make_fixtures.py [FOLDER]

`cmake/setup/setup.sh check` makes that environment. The weights are seeded. ATTENTION_EXPORTER.onnx is a
model that computes its attention step by step (eager) or by PyTorch's own operator (sdpa), written by
the exporter that traces (script) or the one that captures (dynamo), for an opset. All have the same
weights, so that there is one set of inputs and outputs, CASE.NAME.npy.

What the files say of the lines of code that they come from is taken out.
"""

import pathlib
import sys
import warnings

import numpy as np
import torch
from transformers import BertConfig, BertModel

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from onnx_files import strip  # noqa: E402

CONFIG = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
          "intermediate_size": 24, "max_position_embeddings": 20, "type_vocab_size": 2}
EXPORTS = (("script", 14), ("script", 17), ("dynamo", 18), ("dynamo", 20), ("dynamo", 23))
NAMES = ["input_ids", "attention_mask", "token_type_ids"]
OUTPUT = "sentence_embedding"
# (rows, length, tokens of the last row)
CASES = {"one": (1, 5, 5), "some": (3, 9, 4), "longest": (2, 20, 1)}


class Sentence(torch.nn.Module):
    """The mean of the tokens that are there, of length 1."""

    def __init__(self, bert):
        super().__init__()
        self.bert = bert

    def forward(self, input_ids, attention_mask, token_type_ids):
        tokens = self.bert(input_ids=input_ids, attention_mask=attention_mask,
                           token_type_ids=token_type_ids).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(tokens.dtype)
        mean = (tokens * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(mean, p=2, dim=1)


def make_model(attention):
    torch.manual_seed(1)
    config = BertConfig(**CONFIG, initializer_range=0.3, attn_implementation=attention)
    model = Sentence(BertModel(config, add_pooling_layer=False)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.3)
    return model


def make_inputs(rows, length, last):
    random = np.random.default_rng(rows * length)
    ids = random.integers(0, CONFIG["vocab_size"], (rows, length))
    mask = np.ones_like(ids)
    mask[-1, last:] = 0
    return [ids, mask, random.integers(0, 2, (rows, length))]


def export(model, exporter, opset, path):
    inputs = tuple(torch.from_numpy(array) for array in make_inputs(2, 9, 6))
    axes = {0: "batch", 1: "length"}
    if exporter == "dynamo":
        form = {"dynamo": True, "external_data": False, "verbose": False,
                "dynamic_shapes": {name: axes for name in NAMES}}
    else:
        form = {"dynamo": False,
                "dynamic_axes": {**{name: axes for name in NAMES}, OUTPUT: {0: "batch"}}}
    torch.onnx.export(model, inputs, path, input_names=NAMES, output_names=[OUTPUT],
                      opset_version=opset, **form)


def main():
    warnings.filterwarnings("ignore")
    # Nothing of CUDA is there to be asked.
    torch.cuda.is_current_stream_capturing = lambda: False
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    for attention in ("eager", "sdpa"):
        model = make_model(attention)
        for exporter, opset in EXPORTS:
            path = folder / f"{attention}_{exporter}{opset}.onnx"
            with torch.no_grad():
                export(model, exporter, opset, path)
            strip(path)
    for case, sizes in CASES.items():
        inputs = make_inputs(*sizes)
        for name, array in zip(NAMES, inputs):
            np.save(folder / f"{case}.{name}.npy", array)
        with torch.no_grad():
            outputs = model(*(torch.from_numpy(array) for array in inputs))
        np.save(folder / f"{case}.{OUTPUT}.npy", outputs.numpy())


if __name__ == "__main__":
    main()
