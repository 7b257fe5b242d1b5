// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/openapi_schemas.h"

namespace octet {
namespace {

constexpr char kSchemas[] = R"json({
"Error": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
"Empty": {"type": "object"},
"Live": {"type": "object", "required": ["live"], "properties": {"live": {"type": "boolean"}}},
"Ready": {"type": "object", "required": ["ready"], "properties": {
  "ready": {"type": "boolean"}, "name": {"type": "string"}}},
"ServerMetadata": {"type": "object", "required": ["name", "version", "extensions"], "properties": {
  "name": {"type": "string"}, "version": {"type": "string"},
  "extensions": {"type": "array", "items": {"type": "string"}}}},
"TensorMetadata": {"type": "object", "required": ["name", "datatype", "shape"], "properties": {
  "name": {"type": "string"}, "datatype": {"type": "string"},
  "shape": {"type": "array", "items": {"type": "integer"}}}},
"ModelMetadata": {"type": "object", "required": ["name", "platform", "inputs", "outputs"],
  "properties": {
    "name": {"type": "string"}, "platform": {"type": "string"},
    "versions": {"type": "array", "items": {"type": "string"}},
    "inputs": {"type": "array", "items": {"$ref": "#/components/schemas/TensorMetadata"}},
    "outputs": {"type": "array", "items": {"$ref": "#/components/schemas/TensorMetadata"}},
    "properties": {"type": "object", "additionalProperties": {"type": "string"}}}},
"TensorConfig": {"type": "object", "required": ["name", "data_type", "dims"], "properties": {
  "name": {"type": "string"}, "data_type": {"type": "string"},
  "dims": {"type": "array", "items": {"type": "integer"}}}},
"ModelConfig": {"type": "object", "required": ["name", "max_batch_size", "input", "output"],
  "properties": {
    "name": {"type": "string"}, "platform": {"type": "string"}, "backend": {"type": "string"},
    "max_batch_size": {"type": "integer", "minimum": 0},
    "input": {"type": "array", "items": {"$ref": "#/components/schemas/TensorConfig"}},
    "output": {"type": "array", "items": {"$ref": "#/components/schemas/TensorConfig"}}}},
"CountedTime": {"type": "object", "required": ["count", "ns"], "properties": {
  "count": {"type": "integer"}, "ns": {"type": "integer"}}},
"ModelStatistics": {"type": "object", "required": ["model_stats"], "properties": {
  "model_stats": {"type": "array", "items": {"type": "object",
    "required": ["name", "version", "inference_count", "execution_count", "inference_stats"],
    "properties": {
      "name": {"type": "string"}, "version": {"type": "string"},
      "last_inference": {"type": "integer"},
      "inference_count": {"type": "integer"}, "execution_count": {"type": "integer"},
      "inference_stats": {"type": "object",
        "additionalProperties": {"$ref": "#/components/schemas/CountedTime"}},
      "batch_stats": {"type": "array", "items": {"type": "object"}}}}}}},
"RepositoryIndex": {"type": "array", "items": {"type": "object",
  "required": ["name", "version", "state", "reason"], "properties": {
    "name": {"type": "string"}, "version": {"type": "string"},
    "state": {"type": "string", "enum": ["READY", "UNAVAILABLE", "LOADING", "UNLOADING"]},
    "reason": {"type": "string"}}}},
"IndexRequest": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
"ManagementRequest": {"type": "object", "properties": {"parameters": {"type": "object",
  "properties": {"unload_dependents": {"type": "boolean"}}, "additionalProperties": false}}},
"Settings": {"type": "object", "additionalProperties": {}},
"Parameters": {"type": "object", "additionalProperties": {"anyOf": [
  {"type": "boolean"}, {"type": "number"}, {"type": "string"}]}},
"Shape": {"type": "array", "maxItems": 64, "items": {"type": "integer", "format": "int64",
  "minimum": 0}},
"InferInput": {"type": "object", "required": ["name", "shape", "datatype"], "properties": {
  "name": {"type": "string", "minLength": 1},
  "shape": {"$ref": "#/components/schemas/Shape"},
  "datatype": {"type": "string", "enum": ["BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8",
    "UINT16", "UINT32", "UINT64", "FP16", "FP32", "FP64", "BF16", "BYTES"]},
  "parameters": {"type": "object", "properties": {
    "binary_data_size": {"type": "integer", "minimum": 0}}},
  "data": {"type": "array", "description": "Flat, or nested as the shape", "items": {}}}},
"InferOutput": {"type": "object", "required": ["name"], "properties": {
  "name": {"type": "string", "minLength": 1},
  "parameters": {"type": "object", "properties": {
    "binary_data": {"type": "boolean"},
    "classification": {"type": "integer", "minimum": 1}}}}},
"InferRequest": {"type": "object", "required": ["inputs"], "properties": {
  "id": {"type": "string"},
  "parameters": {"$ref": "#/components/schemas/Parameters"},
  "inputs": {"type": "array", "items": {"$ref": "#/components/schemas/InferInput"}},
  "outputs": {"type": "array", "items": {"$ref": "#/components/schemas/InferOutput"}}}},
"InferResponse": {"type": "object", "required": ["model_name", "model_version", "outputs"],
  "properties": {
    "id": {"type": "string"}, "model_name": {"type": "string"},
    "model_version": {"type": "string"}, "parameters": {"type": "object"},
    "outputs": {"type": "array", "items": {"type": "object",
      "required": ["name", "datatype", "shape"], "properties": {
        "name": {"type": "string"}, "datatype": {"type": "string"},
        "shape": {"$ref": "#/components/schemas/Shape"},
        "parameters": {"type": "object"},
        "data": {"type": "array", "items": {}}}}}}},
"OpenApi": {"type": "object", "required": ["openapi", "info", "paths"], "properties": {
  "openapi": {"type": "string"}, "info": {"type": "object"}, "paths": {"type": "object"}}}
})json";

}  // namespace

const char* OpenApiSchemas() { return kSchemas; }

const char* SchemaOf(RouteId route) {
  switch (route) {
    case RouteId::kServerMetadata:
      return "ServerMetadata";
    case RouteId::kOpenApi:
      return "OpenApi";
    case RouteId::kLive:
      return "Live";
    case RouteId::kReady:
    case RouteId::kModelReady:
      return "Ready";
    case RouteId::kModelMetadata:
      return "ModelMetadata";
    case RouteId::kModelConfig:
      return "ModelConfig";
    case RouteId::kModelStatistics:
    case RouteId::kAllStatistics:
      return "ModelStatistics";
    case RouteId::kInfer:
      return "InferResponse";
    case RouteId::kRepositoryIndex:
      return "RepositoryIndex";
    case RouteId::kTraceSettings:
    case RouteId::kSetTraceSettings:
    case RouteId::kLogSettings:
    case RouteId::kSetLogSettings:
      return "Settings";
    case RouteId::kStatusPage:
    case RouteId::kMetrics:
    case RouteId::kLoad:
    case RouteId::kUnload:
    case RouteId::kSharedMemory:
      break;
  }
  return "Empty";
}

const char* BodySchemaOf(RouteId route) {
  switch (route) {
    case RouteId::kInfer:
      return "InferRequest";
    case RouteId::kRepositoryIndex:
      return "IndexRequest";
    case RouteId::kLoad:
    case RouteId::kUnload:
      return "ManagementRequest";
    default:
      return "Settings";
  }
}

}  // namespace octet
