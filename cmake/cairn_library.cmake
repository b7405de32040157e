# cairn_library(name SRCS a.cpp ... DEPS x ... [PCH <header> ...])
#
# A static library cairn_<name> (alias cairn::<name>) whose DEPS are the whole truth: the link test takes
# every object of it and must link with the declared dependencies alone.
function(cairn_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SRCS;DEPS;PCH")
  add_library(cairn_${name} STATIC ${arg_SRCS})
  add_library(cairn::${name} ALIAS cairn_${name})
  target_include_directories(cairn_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(cairn_${name} PUBLIC ${arg_DEPS} PRIVATE cairn_warnings)
  if(arg_PCH AND NOT CAIRN_TIDY)
    target_precompile_headers(cairn_${name} PRIVATE ${arg_PCH})
  endif()
  add_executable(cairn_${name}_link_test ${PROJECT_SOURCE_DIR}/cmake/link_test.cpp)
  target_link_libraries(cairn_${name}_link_test
    PRIVATE "$<LINK_LIBRARY:WHOLE_ARCHIVE,cairn_${name}>")
  set_target_properties(cairn_${name}_link_test PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/link_tests)
endfunction()

# cairn_executable(name SRCS ... DEPS ... [PCH ...]): a program in bin/.
function(cairn_executable name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SRCS;DEPS;PCH")
  add_executable(${name} ${arg_SRCS})
  target_link_libraries(${name} PRIVATE ${arg_DEPS} cairn_warnings)
  if(arg_PCH AND NOT CAIRN_TIDY)
    target_precompile_headers(${name} PRIVATE ${arg_PCH})
  endif()
endfunction()

# cairn_test(name SRCS ... DEPS ... [ONE_THREAD] [PCH ...] [LABELS ...] [ARGS ...] [TIMEOUT s]): one
# doctest program and one ctest entry. A *_test.cpp in this folder that no cairn_test names stops the
# configure step. ONE_THREAD: all of it runs in one thread, so ThreadSanitizer has nothing to find and
# its preset leaves it out.
function(cairn_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "ONE_THREAD" "TIMEOUT" "SRCS;DEPS;PCH;LABELS;ARGS")
  add_executable(${name} ${arg_SRCS} ${PROJECT_SOURCE_DIR}/tests/support/doctest_main.cpp)
  target_link_libraries(${name} PRIVATE ${arg_DEPS} doctest::doctest cairn_warnings)
  if(arg_PCH AND NOT CAIRN_TIDY)
    target_precompile_headers(${name} PRIVATE ${arg_PCH})
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  list(TRANSFORM arg_SRCS PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  set_property(GLOBAL APPEND PROPERTY cairn_registered_tests ${arg_SRCS})
  if(arg_ONE_THREAD AND CAIRN_SANITIZE STREQUAL "thread")
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON)
    return()
  endif()
  add_test(NAME ${name} COMMAND ${name} ${arg_ARGS})
  if(arg_LABELS)
    set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}")
  endif()
  if(arg_TIMEOUT)
    set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT})
  endif()
endfunction()

# Call at the end of each tests/ folder, after its sub-folders.
function(cairn_require_all_tests_registered)
  get_property(registered GLOBAL PROPERTY cairn_registered_tests)
  file(GLOB_RECURSE on_disk CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.cpp)
  foreach(file IN LISTS on_disk)
    if(NOT file IN_LIST registered)
      message(FATAL_ERROR "${file} is not part of any cairn_test()")
    endif()
  endforeach()
endfunction()
