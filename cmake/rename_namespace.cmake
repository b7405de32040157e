# cmake -DFROM=log -DTO=proglog -P rename_namespace.cmake -- FILE...
#
# Renames the outermost C++ namespace of code that protoc has generated. The package log.v1, given by
# proglog's clients, would become the namespace ::log, which no file can have that sees the function
# ::log of <math.h>. Names on the wire and in the descriptors stay as they are.
set(i 0)
while(i LESS CMAKE_ARGC)
  set(argument "${CMAKE_ARGV${i}}")
  if(past_options)
    file(READ "${argument}" text)
    string(REGEX REPLACE "namespace ${FROM} {" "namespace ${TO} {" text "${text}")
    string(REPLACE "::${FROM}::" "::${TO}::" text "${text}")
    file(WRITE "${argument}" "${text}")
  elseif(argument STREQUAL "--")
    set(past_options TRUE)
  endif()
  math(EXPR i "${i} + 1")
endwhile()
