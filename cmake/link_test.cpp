// Linked with the whole of one library and nothing but its declared dependencies, see
// cairn_library.cmake.
int main() {}
