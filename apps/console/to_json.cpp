#include "apps/console/to_json.hpp"

#include "apps/console/screen.hpp"

#include <algorithm>
#include <cmath>
#include <google/protobuf/descriptor.h>
#include <limits>
#include <string>
#include <string_view>

namespace cairn::console {

namespace {

namespace json = boost::json;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

json::string text_of(std::string_view bytes) {
  // As records are shown elsewhere: what is no text is replaced, never an error.
  json::string text;
  while (!bytes.empty()) {
    const auto size = utf8_sequence_bytes(bytes);
    text.append(size == 0 ? json::string_view("\xef\xbf\xbd")
                          : json::string_view(bytes.data(), size));
    bytes.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return text;
}

json::value number_of(double number) {
  // JSON has no infinities; the last bucket of a histogram is named by its label.
  if (!std::isfinite(number)) return nullptr;
  return number;
}

/// Of a field that is not repeated, or with `index` >= 0 one element of it.
json::value value_of(const Message& message, const FieldDescriptor* field, int index) {
  const Reflection* r = message.GetReflection();
  const bool one = index < 0;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return one ? r->GetInt32(message, field) : r->GetRepeatedInt32(message, field, index);
    case FieldDescriptor::CPPTYPE_INT64:
      return one ? r->GetInt64(message, field) : r->GetRepeatedInt64(message, field, index);
    case FieldDescriptor::CPPTYPE_UINT32:
      return one ? r->GetUInt32(message, field) : r->GetRepeatedUInt32(message, field, index);
    case FieldDescriptor::CPPTYPE_UINT64: {
      const auto number =
          one ? r->GetUInt64(message, field) : r->GetRepeatedUInt64(message, field, index);
      const bool never = number == std::numeric_limits<std::uint64_t>::max();
      if (never && field->name().ends_with("_ms")) return nullptr;
      return number;
    }
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return number_of(one ? r->GetDouble(message, field)
                           : r->GetRepeatedDouble(message, field, index));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return number_of(static_cast<double>(one ? r->GetFloat(message, field)
                                               : r->GetRepeatedFloat(message, field, index)));
    case FieldDescriptor::CPPTYPE_BOOL:
      return one ? r->GetBool(message, field) : r->GetRepeatedBool(message, field, index);
    case FieldDescriptor::CPPTYPE_ENUM:
      return json::string(
          (one ? r->GetEnum(message, field) : r->GetRepeatedEnum(message, field, index))->name());
    case FieldDescriptor::CPPTYPE_STRING:
      return text_of(one ? r->GetString(message, field)
                         : r->GetRepeatedString(message, field, index));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return to_json(one ? r->GetMessage(message, field)
                         : r->GetRepeatedMessage(message, field, index));
  }
  return nullptr;
}

json::string key_of(const json::value& key) {
  if (key.is_string()) return key.as_string();
  return json::string(std::to_string(key.is_uint64()  ? key.as_uint64()
                                     : key.is_int64() ? static_cast<std::uint64_t>(key.as_int64())
                                                      : 0));
}

json::value map_of(const Message& message, const FieldDescriptor* field) {
  json::object map;
  const Reflection* r = message.GetReflection();
  const auto* entry = field->message_type();
  for (int i = 0; i < r->FieldSize(message, field); ++i) {
    const auto& one = r->GetRepeatedMessage(message, field, i);
    map[key_of(value_of(one, entry->map_key(), -1))] = value_of(one, entry->map_value(), -1);
  }
  return map;
}

}  // namespace

json::object to_json(const Message& message) {
  json::object object;
  const auto* descriptor = message.GetDescriptor();
  const Reflection* r = message.GetReflection();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const auto* field = descriptor->field(i);
    if (field->has_presence() && !r->HasField(message, field)) continue;
    auto& value = object[field->name()];
    if (field->is_map()) {
      value = map_of(message, field);
    } else if (field->is_repeated()) {
      auto& array = value.emplace_array();
      for (int k = 0; k < r->FieldSize(message, field); ++k) {
        array.push_back(value_of(message, field, k));
      }
    } else {
      value = value_of(message, field, -1);
    }
  }
  return object;
}

}  // namespace cairn::console
