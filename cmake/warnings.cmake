# Linked PRIVATE by everything of ours; generated code and third-party targets stay without it.
add_library(cairn_warnings INTERFACE)
target_compile_options(cairn_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wold-style-cast -Wnon-virtual-dtor
  -Woverloaded-virtual -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports false positives of these two through inlined standard containers.
  target_compile_options(cairn_warnings INTERFACE -Wno-error=maybe-uninitialized
    -Wno-error=stringop-overflow -Wno-error=array-bounds -Wno-error=restrict)
endif()
