// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/model_config.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "models/base/status_macros.h"

namespace octet::keras {

namespace {

constexpr std::size_t kMaxLayers = 20000;

bool IsOperation(absl::string_view module) { return absl::StartsWith(module, "keras.src.ops."); }

// Where a layer keeps another one: the key in its config, its attribute in the HDF5 file, and what
// the older format calls it.
struct Held {
  absl::string_view class_name;
  absl::string_view config_key;
  absl::string_view attribute;
  absl::string_view scope = "";
};
constexpr std::array<Held, 7> kHeld = {{
    {"QuantizeAnnotate", "layer", "layer"},
    {"QuantizeWrapper", "layer", "layer"},
    {"QuantizeWrapperV2", "layer", "layer"},
    {"TimeDistributed", "layer", "layer"},
    {"Bidirectional", "layer", "forward_layer", "forward_"},
    {"Bidirectional", "backward_layer", "backward_layer", "backward_"},
    {"RNN", "cell", "cell"},
}};

// Builds the tree and collects what cannot be imported, so that one error tells all of it.
class TreeBuilder {
 public:
  explicit TreeBuilder(const LayerRegistry& registry) : registry_(registry) {}

  absl::StatusOr<std::unique_ptr<KerasLayer>> Build(const Json& entry, const std::string& path,
                                                    const std::string& group,
                                                    std::vector<std::string> scopes) {
    if (++num_layers_ > kMaxLayers) {
      return absl::ResourceExhaustedError(
          absl::StrCat("config.json: wants at most ", kMaxLayers, " layers"));
    }
    auto layer = std::make_unique<KerasLayer>(entry, path);
    ASSIGN_OR_RETURN(layer->class_name, layer->entry.String("class_name"));
    ASSIGN_OR_RETURN(const std::string module, layer->entry.String("module", ""));
    ASSIGN_OR_RETURN(const std::string registered, layer->entry.String("registered_name", ""));
    layer->group = group;
    layer->scopes = std::move(scopes);
    if (absl::StrContains(registered, '>')) layer->registered_name = registered;
    layer->key = Key(*layer, module);
    layer->entry = ConfigView(entry, Description(*layer));
    layer->config = ConfigView(layer->entry.Get("config"), Description(*layer));
    if (layer->class_name == "Lambda" || layer->class_name == "__lambda__" ||
        layer->class_name == "TorchModuleWrapper" || layer->class_name == "TFSMLayer" ||
        layer->class_name == "JaxLayer" || layer->class_name == "FlaxLayer") {
      code_.push_back(Description(*layer));
    } else if (registry_.Find(layer->key) == nullptr) {
      unknown_.push_back(absl::StrCat(Description(*layer)));
    }
    if (!paths_.insert(path).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("config.json: two layers are called \"", path, "\""));
    }
    // Of an input layer it is the type of its tensor, of a function of keras.ops an argument.
    if (layer->key != "InputLayer" && !IsOperation(module)) {
      ASSIGN_OR_RETURN(layer->policy, ParseDtypePolicy(layer->config.Get("dtype"), path));
    }
    if (IsModel(*layer)) {
      RETURN_IF_ERROR(BuildLayers(*layer));
    } else {
      RETURN_IF_ERROR(BuildHeld(*layer));
    }
    return layer;
  }

  [[nodiscard]] absl::Status Verdict() const {
    if (!code_.empty()) {
      return absl::PermissionDeniedError(
          absl::StrCat("the model holds code, which is never run: ", absl::StrJoin(code_, ", "),
                       "; replace it by layers or by functions of keras.ops"));
    }
    if (unknown_.empty()) return absl::OkStatus();
    return absl::UnimplementedError(
        absl::StrCat(unknown_.size(), unknown_.size() == 1 ? " layer" : " layers",
                     " of classes that cannot be imported: ", absl::StrJoin(unknown_, ", ")));
  }

 private:
  static std::string Description(const KerasLayer& layer) {
    const std::string& name =
        layer.registered_name.empty() ? layer.class_name : layer.registered_name;
    return absl::StrCat("layer \"", layer.path, "\" (", name, ")");
  }

  static std::string Key(const KerasLayer& layer, const std::string& module) {
    if (!layer.registered_name.empty()) return layer.registered_name;
    if (IsOperation(module)) return absl::StrCat("ops.", layer.class_name);
    // Legacy HDF5 files name no module.
    if (module.empty() || module == "keras" || absl::StartsWith(module, "keras.layers") ||
        absl::StartsWith(module, "keras.models") || absl::StartsWith(module, "keras.src.layers") ||
        absl::StartsWith(module, "keras.src.models") || absl::StartsWith(module, "tf_keras.") ||
        absl::StartsWith(module, "keras.src.engine.") ||
        absl::StartsWith(module, "keras.engine.") ||
        absl::StartsWith(module, "tensorflow_model_optimization.")) {
      return layer.class_name;
    }
    return absl::StrCat(module, ".", layer.class_name);
  }

  static std::string Child(const std::string& parent, absl::string_view name) {
    return parent.empty() ? std::string(name) : absl::StrCat(parent, "/", name);
  }

  // The scopes of what is called `name` in `parent`. The layers of the model itself have groups of
  // their own.
  static std::vector<std::string> ScopesIn(const KerasLayer& parent, const std::string& name) {
    std::vector<std::string> scopes = parent.scopes;
    if (!parent.path.empty() && !name.empty()) scopes.push_back(name);
    return scopes;
  }

  absl::Status BuildLayers(KerasLayer& model) {
    const Json& layers = model.config.Get("layers");
    if (!layers.is_array()) return model.config.Error("layers", "a list of layers");
    std::map<std::string, int> counts;
    for (const Json& entry : layers) {
      const ConfigView view(entry, model.path.empty() ? "config.json" : model.path);
      ASSIGN_OR_RETURN(std::string class_name, view.String("class_name"));
      ASSIGN_OR_RETURN(const std::string module, view.String("module", ""));
      ASSIGN_OR_RETURN(const std::string in_config, view.Object("config").String("name", ""));
      ASSIGN_OR_RETURN(const std::string name, view.String("name", in_config));
      if (name.empty()) return view.Error("name", "the layer's name");
      std::string group;
      const bool skipped = model.class_name == "Sequential" && class_name == "InputLayer";
      if (!IsOperation(module) && !skipped) {
        // Exported under another name than the class has.
        if (class_name == "GroupQueryAttention") class_name = "GroupedQueryAttention";
        const std::string snake = SnakeCase(class_name);
        const int count = counts[snake]++;
        group = Child(model.group,
                      absl::StrCat("layers/", snake, count == 0 ? "" : absl::StrCat("_", count)));
      }
      ASSIGN_OR_RETURN(std::unique_ptr<KerasLayer> child,
                       Build(entry, Child(model.path, name), group, ScopesIn(model, name)));
      model.order.push_back(child.get());
      if (!model.children.emplace(name, std::move(child)).second) {
        return view.Error("name", "a name that no other layer has");
      }
    }
    return absl::OkStatus();
  }

  // A Bidirectional layer whose file has only the forward one: the other differs in its direction.
  static std::unique_ptr<Json> Backward(const Json& forward) {
    auto backward = std::make_unique<Json>(forward);
    if (!backward->is_object() || !backward->contains("config")) return backward;
    Json& config = (*backward)["config"];
    if (!config.is_object()) return backward;
    const auto direction = config.find("go_backwards");
    config["go_backwards"] = direction == config.end() || *direction != true;
    config["name"] = "backward_layer";
    return backward;
  }

  absl::Status BuildHeld(KerasLayer& layer) {
    for (const Held& held : kHeld) {
      if (held.class_name != layer.class_name) continue;
      const Json* stored = &layer.config.Get(held.config_key);
      if (stored->is_null() && held.attribute == "backward_layer") {
        stored = layer.derived.emplace_back(Backward(layer.config.Get("layer"))).get();
      }
      const Json& entry = *stored;
      const ConfigView view(entry, layer.config.where());
      ASSIGN_OR_RETURN(const std::string name,
                       view.Object("config").String("name", held.attribute));
      ASSIGN_OR_RETURN(std::unique_ptr<KerasLayer> child,
                       Build(entry, Child(layer.path, name), Child(layer.group, held.attribute),
                             ScopesIn(layer, std::string(held.scope))));
      layer.order.push_back(child.get());
      layer.children.emplace(held.attribute, std::move(child));
    }
    return absl::OkStatus();
  }

  const LayerRegistry& registry_;
  std::size_t num_layers_ = 0;
  std::set<std::string> paths_;
  std::vector<std::string> code_;
  std::vector<std::string> unknown_;
};

// Finds code wherever a configuration may hold it: an activation may be a lambda, too.
bool HoldsCode(const Json& json) {
  if (json.is_object()) {
    const auto class_name = json.find("class_name");
    if (class_name != json.end() && *class_name == "__lambda__") return true;
    const auto module = json.find("module");
    if (module != json.end() && *module == "__lambda__") return true;
  }
  if (!json.is_structured()) return false;
  return std::any_of(json.begin(), json.end(), HoldsCode);
}

}  // namespace

std::string SnakeCase(absl::string_view class_name) {
  const auto upper = [&](std::size_t i) {
    return i < class_name.size() && absl::ascii_isupper(static_cast<unsigned char>(class_name[i]));
  };
  const auto lower = [&](std::size_t i) {
    return i < class_name.size() && absl::ascii_islower(static_cast<unsigned char>(class_name[i]));
  };
  // An underscore goes before a capital that begins a word, or that follows a small letter.
  std::string snake;
  for (std::size_t i = 0; i < class_name.size(); ++i) {
    const bool after_capital_only = i > 0 && upper(i) && lower(i + 1);
    if (i > 0 && upper(i) && (after_capital_only || lower(i - 1))) snake.push_back('_');
    snake.push_back(absl::ascii_tolower(static_cast<unsigned char>(class_name[i])));
  }
  return snake;
}

bool IsModel(const KerasLayer& layer) {
  return layer.registered_name.empty() &&
         (layer.key == "Sequential" || layer.key == "Functional" || layer.key == "Model");
}

absl::StatusOr<std::unique_ptr<KerasLayer>> BuildModel(const Json& root,
                                                       const LayerRegistry& registry) {
  TreeBuilder builder(registry);
  ASSIGN_OR_RETURN(std::unique_ptr<KerasLayer> model, builder.Build(root, "", "", {}));
  RETURN_IF_ERROR(builder.Verdict());
  if (HoldsCode(root)) {
    return absl::PermissionDeniedError(
        "the model holds code, which is never run: a \"__lambda__\" in config.json");
  }
  if (!IsModel(*model)) {
    return absl::UnimplementedError(absl::StrCat("config.json: the model is a ", model->class_name,
                                                 ", wants a Sequential or a Functional model"));
  }
  return model;
}

}  // namespace octet::keras
