// SPDX-License-Identifier: Apache-2.0
// A YAML document into a proto message: keys are field names, and a key that the message does not
// have is refused with its path.

#pragma once

#include <string>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace octet {

// Whether the field holds a message with keys of its own; a Duration is one value.
bool IsMessage(const google::protobuf::FieldDescriptor& field);

// Fills `message` from `text`. Returns every error, each beginning with
// "<file>:<line>: <path of the key>: ", and none if all is well; `file` is for these messages only.
// An empty document sets nothing.
std::vector<std::string> FillFromYaml(const std::string& text, const std::string& file,
                                      google::protobuf::Message& message);

}  // namespace octet
