# SPDX-License-Identifier: Apache-2.0
"""What the scripts that write .onnx files here share."""

import onnx


def strip(path):
    """Takes out of a file what an exporter notes of the Python lines that its nodes come from, and the
    shapes between them: less of what no reader needs, and the same file every time."""
    model = onnx.load(path)
    for owner in (model, model.graph, *model.graph.node, *model.graph.initializer,
                  *model.graph.input, *model.graph.output):
        owner.ClearField("metadata_props")
        owner.ClearField("doc_string")
    del model.graph.value_info[:]
    onnx.save(model, path)
