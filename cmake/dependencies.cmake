# Every package from outside, in one place. scripts/setup installs them.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(Protobuf REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(OpenSSL REQUIRED)
find_package(CLI11 REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(doctest REQUIRED)
find_package(rapidcheck REQUIRED)
find_package(benchmark REQUIRED)
find_package(simdjson REQUIRED)
find_package(prometheus-cpp REQUIRED COMPONENTS core)
find_package(PkgConfig REQUIRED)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(libedit REQUIRED IMPORTED_TARGET libedit)

# CAF 0.18.7: CAF_ROOT (cache variable or environment) names the installation; without it, the one that
# scripts/setup keeps per user, which is built when it is not there. ThreadSanitizer needs one that is
# instrumented too: it cannot see the order that an uninstrumented CAF's locks and atomics give.
if(NOT CAF_ROOT AND NOT DEFINED ENV{CAF_ROOT})
  set(variant release)
  if(CAIRN_SANITIZE MATCHES "thread")
    set(variant tsan)
  endif()
  message(STATUS "CAF: asking scripts/setup for the variant ${variant}")
  execute_process(COMMAND ${PROJECT_SOURCE_DIR}/scripts/setup --print-caf --caf ${variant}
    OUTPUT_VARIABLE caf_root OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(CAF_ROOT ${caf_root} CACHE PATH "installation of CAF 0.18.7")
endif()
find_package(CAF 0.18.7 REQUIRED COMPONENTS core io)
