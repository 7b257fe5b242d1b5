// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/infer_answer.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/tensor/data_type.h"
#include "server/frontends/http/compression.h"
#include "server/frontends/http/json_writer.h"
#include "server/frontends/http/tensor_json.h"

namespace octet {
namespace {

// What is shorter than this fits into one packet anyway.
constexpr std::size_t kLeastCompressedBytes = 1024;

void AppendMember(absl::string_view name, absl::string_view text, std::string& out) {
  absl::StrAppend(&out, out.back() == '{' ? "\"" : ",\"", name, "\":");
  AppendJsonString(text, out);
}

void AppendTiming(const InferenceAnswer& answer, std::string& out) {
  const auto microseconds = [](std::chrono::nanoseconds time) {
    const auto count = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
    return std::max<std::int64_t>(count, 0);
  };
  out += ",\"parameters\":{";
  AppendMember("octet_precision", answer.model.precision, out);
  AppendMember("octet_kernel_set", answer.model.kernel_set, out);
  absl::StrAppend(
      &out, ",\"octet_queue_us\":", microseconds(answer.times.queue),
      ",\"octet_compute_us\":", microseconds(answer.times.quantize + answer.times.compute), "}");
}

absl::Status AppendOutput(const AnswerOutput& output, bool is_binary, std::size_t max_json_bytes,
                          HttpReply& reply) {
  std::string& out = reply.body;
  out.push_back('{');
  AppendMember("name", output.name, out);
  AppendMember("datatype", output.holds_text ? "BYTES" : DataTypeName(output.data_type), out);
  out += ",\"shape\":";
  AppendJsonDims(output.dims, out);
  if (is_binary) {
    absl::StrAppend(&out, ",\"parameters\":{\"binary_data_size\":", output.data.size(), "}}");
    reply.tensors.push_back(output.data);
    return absl::OkStatus();
  }
  out += ",\"data\":";
  RETURN_IF_ERROR(AppendTensorJson(output, max_json_bytes, out));
  out.push_back('}');
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<HttpReply> InferReply(const InferenceAnswer& answer, const InferAnswerForm& form,
                                     std::size_t max_json_bytes) {
  HttpReply reply;
  reply.body = "{";
  if (!form.id.empty()) AppendMember("id", form.id, reply.body);
  AppendMember("model_name", answer.model.name, reply.body);
  AppendMember("model_version", answer.model.version, reply.body);
  if (form.wants_timing) AppendTiming(answer, reply.body);
  reply.body += ",\"outputs\":[";
  for (std::size_t i = 0; i < answer.outputs.size(); ++i) {
    if (i > 0) reply.body.push_back(',');
    const bool is_binary = form.binary_outputs.empty() ? form.is_binary : form.binary_outputs[i];
    RETURN_IF_ERROR(AppendOutput(answer.outputs[i], is_binary, max_json_bytes, reply));
  }
  reply.body += "]}";
  if (!reply.tensors.empty()) {
    reply.owner = answer.owner;
    reply.content_type = "application/octet-stream";
    reply.fields.push_back({"Inference-Header-Content-Length", absl::StrCat(reply.body.size())});
  }
  return reply;
}

void Compress(absl::string_view accept_encoding, HttpReply& reply) {
  if (accept_encoding.empty() || reply.byte_size() < kLeastCompressedBytes) return;
  const AcceptedCoding accepted = ParseAcceptEncoding(accept_encoding);
  if (accepted.coding == Coding::kIdentity) return;
  // Numbers as they lie hardly shrink, and it takes longer than sending them.
  if (!reply.tensors.empty() && !accepted.is_alone) return;
  std::vector<std::span<const std::byte>> parts = {std::as_bytes(std::span(reply.body))};
  parts.insert(parts.end(), reply.tensors.begin(), reply.tensors.end());
  absl::StatusOr<std::string> compressed = Deflate(accepted.coding, parts);
  if (!compressed.ok()) return;
  reply.body = *std::move(compressed);
  reply.tensors.clear();
  reply.owner = nullptr;
  reply.fields.push_back({"Content-Encoding", CodingName(accepted.coding)});
  reply.fields.push_back({"Vary", "Accept-Encoding"});
}

}  // namespace octet
