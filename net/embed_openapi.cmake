# Writes the text of FROM as a C++ source TO.
file(READ ${FROM} text)
file(WRITE ${TO} "#include \"net/handlers/handlers.hpp\"\n
namespace cairn::net {\n
std::string_view openapi_text() {
  static constexpr std::string_view text = R\"openapi(${text})openapi\";
  return text;
}\n
}  // namespace cairn::net\n")
