// SPDX-License-Identifier: Apache-2.0

#include "server/access/operation.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "gtest/gtest.h"

#include "proto/grpc/health/v1/health.pb.h"
#include "proto/grpc/reflection/v1alpha/reflection.pb.h"
#include "proto/inference/open_inference_grpc.pb.h"

namespace octet {
namespace {

using google::protobuf::FileDescriptor;

void AddMethods(const FileDescriptor& file, std::set<std::string>& paths) {
  for (int i = 0; i < file.service_count(); ++i) {
    for (int j = 0; j < file.service(i)->method_count(); ++j) {
      paths.insert(
          absl::StrCat("/", file.service(i)->full_name(), "/", file.service(i)->method(j)->name()));
    }
  }
}

// A method that is new wants a row of its own, so that somebody has thought of who may call it.
TEST(OperationTest, EveryMethodOfEveryServiceIsListed) {
  std::set<std::string> paths;
  AddMethods(*inference::ModelInferRequest::descriptor()->file(), paths);
  AddMethods(*grpc::health::v1::HealthCheckRequest::descriptor()->file(), paths);
  AddMethods(*grpc::reflection::v1alpha::ServerReflectionRequest::descriptor()->file(), paths);
  std::set<std::string> listed;
  for (const RpcOperation& rpc : RpcOperations()) listed.insert(rpc.path);
  EXPECT_EQ(listed, paths);
  EXPECT_EQ(listed.size(), RpcOperations().size());
}

TEST(OperationTest, WhatIsNotListedIsClosed) {
  EXPECT_EQ(OperationOfRpc("/inference.GRPCInferenceService/ModelInfer"), Operation::kInfer);
  EXPECT_EQ(OperationOfRpc("/inference.GRPCInferenceService/New"), Operation::kManage);
  EXPECT_EQ(OperationOfRpc(""), Operation::kManage);
}

TEST(OperationTest, OnlyAdminsManage) {
  EXPECT_EQ(RolesFor(Operation::kManage), Roles{Role::kAdmin});
  EXPECT_EQ(RolesFor(Operation::kInfer), Roles{Role::kInfer});
  EXPECT_EQ(RolesFor(Operation::kRead), (Roles{Role::kRead, Role::kAdmin}));
}

}  // namespace
}  // namespace octet
