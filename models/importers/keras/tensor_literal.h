// SPDX-License-Identifier: Apache-2.0
// Tensors that config.json spells out, because a call was given an array.

#pragma once

#include <optional>

#include "models/importers/config_view.h"
#include "models/tensor/tensor.h"

namespace octet::keras {

// {"class_name": "__tensor__" or "__numpy__", "config": {"value": nested lists, "dtype": name}} as
// float32, int32 or bool. None for anything else, numbers beyond int32 and ragged lists included.
std::optional<ConstantTensor> ParseTensorLiteral(const Json& json);

}  // namespace octet::keras
