#pragma once
// Any Protobuf message as JSON: names as in the .proto file (snake_case), 64-bit numbers as
// numbers, bytes as text (what is no UTF-8 becomes U+FFFD). All fields are there, but messages and
// members of a oneof that are not set: a script need not ask whether a zero is missing.

#include <boost/json/value.hpp>
#include <google/protobuf/message.h>

namespace cairn::console {

[[nodiscard]] boost::json::object to_json(const google::protobuf::Message& message);

}  // namespace cairn::console
