#pragma once
// What the generated classes make of a record batch whose stamps nobody looks into. batch_reader
// passes over field 2 as over an unknown one, whatever is in it; the generated class would refuse
// the records because of a malformed stamp.

#include "proto/cairn/v1/record.pb.h"

#include <google/protobuf/empty.pb.h>
#include <string_view>

namespace cairn::testing {

/// Parses `bytes` into `out` without field 2. False when the generated classes refuse the rest.
inline bool parse_records(std::string_view bytes, v1::RecordBatch& out) {
  constexpr int k_stamps_field = 2;
  google::protobuf::Empty all;  // every field is unknown to it
  if (!all.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return false;
  all.GetReflection()->MutableUnknownFields(&all)->DeleteByNumber(k_stamps_field);
  return out.ParseFromString(all.SerializeAsString());
}

}  // namespace cairn::testing
