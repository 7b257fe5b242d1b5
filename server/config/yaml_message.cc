// SPDX-License-Identifier: Apache-2.0

#include "server/config/yaml_message.h"

#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/descriptor.h"
#include "yaml-cpp/yaml.h"

#include "server/config/field_value.h"

namespace octet {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Whether its value is a mapping of its own.
bool IsMessage(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !IsDuration(field);
}

std::string KnownKeys(const Descriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
  return absl::StrJoin(names, ", ");
}

// Walks one document; collects errors and goes on.
class Filler {
 public:
  explicit Filler(std::string file) : file_(std::move(file)) {}

  void Fill(const YAML::Node& node, const std::string& path, Message& message) {
    const Descriptor& type = *message.GetDescriptor();
    if (!node.IsMap()) {
      AddError(node, path, absl::StrCat("wants a mapping with keys of: ", KnownKeys(type)));
      return;
    }
    std::set<std::string> seen;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) {
        AddError(entry.first, path, "a key must be a plain word");
        continue;
      }
      const std::string key = entry.first.Scalar();
      const std::string key_path = path.empty() ? key : absl::StrCat(path, ".", key);
      const FieldDescriptor* field = type.FindFieldByName(key);
      if (field == nullptr) {
        AddError(entry.first, key_path, absl::StrCat("unknown key; known: ", KnownKeys(type)));
      } else if (!seen.insert(key).second) {
        AddError(entry.first, key_path, "given twice");
      } else {
        FillField(entry, key_path, *field, message);
      }
    }
  }

  void AddError(const YAML::Node& node, const std::string& path, const std::string& what) {
    AddError(node.Mark().line, path, what);
  }
  // `line` counts from 0; negative: unknown.
  void AddError(int line, const std::string& path, const std::string& what) {
    errors_.push_back(absl::StrCat(file_, line < 0 ? "" : absl::StrCat(":", line + 1), ": ", path,
                                   path.empty() ? "" : ": ", what));
  }

  std::vector<std::string> TakeErrors() { return std::move(errors_); }

 private:
  // Errors name the line of the key: an empty value has no line of its own.
  void FillField(const YAML::detail::iterator_value& entry, const std::string& path,
                 const FieldDescriptor& field, Message& message) {
    if (field.is_map()) return FillMap(entry, path, field, message);
    if (field.is_repeated()) {
      return IsMessage(field) ? FillMessages(entry, path, field, message)
                              : FillValues(entry, path, field, message);
    }
    if (IsMessage(field)) {
      return Fill(entry.second, path, *message.GetReflection()->MutableMessage(&message, &field));
    }
    if (!entry.second.IsScalar()) {
      AddError(entry.first, path, "wants one value");
      return;
    }
    const absl::Status status = SetField(entry.second.Scalar(), field, message);
    if (!status.ok()) AddError(entry.first, path, std::string(status.message()));
  }

  // A list of values.
  void FillValues(const YAML::detail::iterator_value& entry, const std::string& path,
                  const FieldDescriptor& field, Message& message) {
    if (!entry.second.IsSequence()) return AddError(entry.first, path, "wants a list");
    for (const YAML::Node& item : entry.second) {
      const absl::Status status = item.IsScalar()
                                      ? AddToField(item.Scalar(), field, message)
                                      : absl::InvalidArgumentError("wants a list of values");
      if (!status.ok()) AddError(entry.first, path, std::string(status.message()));
    }
  }

  // A list of messages.
  void FillMessages(const YAML::detail::iterator_value& entry, const std::string& path,
                    const FieldDescriptor& field, Message& message) {
    if (!entry.second.IsSequence()) {
      AddError(entry.first, path,
               absl::StrCat("wants a list, each with keys of: ", KnownKeys(*field.message_type())));
      return;
    }
    std::size_t index = 0;
    for (const YAML::Node& item : entry.second) {
      Message& added = *message.GetReflection()->AddMessage(&message, &field);
      Fill(item, absl::StrCat(path, "[", index++, "]"), added);
    }
  }

  // A mapping whose keys are the user's.
  void FillMap(const YAML::detail::iterator_value& entry, const std::string& path,
               const FieldDescriptor& field, Message& message) {
    if (!entry.second.IsMap()) {
      AddError(entry.first, path, "wants a mapping");
      return;
    }
    const Descriptor& type = *field.message_type();
    std::set<std::string> seen;
    for (const auto& item : entry.second) {
      if (!item.first.IsScalar()) {
        AddError(item.first, path, "a key must be a plain word");
        continue;
      }
      const std::string item_path = absl::StrCat(path, ".", item.first.Scalar());
      if (!seen.insert(item.first.Scalar()).second) {
        AddError(item.first, item_path, "given twice");
        continue;
      }
      Message& added = *message.GetReflection()->AddMessage(&message, &field);
      const absl::Status key = SetField(item.first.Scalar(), *type.map_key(), added);
      if (!key.ok()) AddError(item.first, item_path, std::string(key.message()));
      FillField(item, item_path, *type.map_value(), added);
    }
  }

  const std::string file_;
  std::vector<std::string> errors_;
};

}  // namespace

std::vector<std::string> FillFromYaml(const std::string& text, const std::string& file,
                                      Message& message) {
  Filler filler(file);
  try {  // yaml-cpp reports by exception; none of them leaves this file
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.size() > 1) {
      filler.AddError(-1, "", absl::StrCat("holds ", documents.size(), " documents, wants one"));
    } else if (!documents.empty() && !documents[0].IsNull()) {
      filler.Fill(documents[0], "", message);
    }
  } catch (const YAML::Exception& error) {
    filler.AddError(error.mark.line, "", absl::StrCat("not YAML: ", error.msg));
  }
  return filler.TakeErrors();
}

}  // namespace octet
