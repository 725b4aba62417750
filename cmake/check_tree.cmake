# The rules of the tree as a test. ROOT: a tree with include/yoke, core and backends.
#
#  1. core includes standard C headers, yoke's own and the MessagePack library's, no others;
#  2. core has no platform conditional (core/atomic.h may ask for the processor: it is the one place for that);
#  3. a public header includes only stddef, stdint, stdbool, string and yoke's own (backend.h and uv.h are for authors of
#     backends and users of loops), and defines no macro without YOKE in front;
#  4. backends make no system call but through their table: only sys.c names the functions listed here;
#  5. no unfinished marks.

cmake_minimum_required(VERSION 3.20)

set(complaints "")
macro(complain text)
  string(APPEND complaints "  ${text}\n")
endmacro()

set(standard_headers assert ctype errno float inttypes limits math setjmp stdalign stdarg stdatomic stdbool stddef
  stdint stdio stdlib stdnoreturn string time)
string(REPLACE ";" "|" standard_headers "${standard_headers}")

# Lines of a file that match; safe against the semicolons and brackets that mean something in CMake lists.
function(matching_lines out file regex)
  file(READ "${file}" text)
  string(REPLACE "[" "(" text "${text}")
  string(REPLACE "]" ")" text "${text}")
  string(REPLACE ";" "," text "${text}")
  string(REPLACE "\\\n" " " text "${text}")
  string(REPLACE "\n" ";" lines "${text}")
  list(FILTER lines INCLUDE REGEX "${regex}")
  set(${out} "${lines}" PARENT_SCOPE)
endfunction()

set(include_regex "^[ \t]*#[ \t]*include")
set(platform_regex "^[ \t]*#[ \t]*(if|elif|ifdef|ifndef).*(_WIN|__linux|__unix|__APPLE__|__FreeBSD|__NetBSD|__OpenBSD|__sun|__ANDROID|__CYGWIN|__MINGW|_MSC_VER|__GLIBC|_POSIX|_AIX|__HAIKU)")
set(processor_regex "^[ \t]*#[ \t]*(if|elif|ifdef|ifndef).*(__i386|__x86_64|__aarch64|__arm|__riscv|__powerpc|_M_)")

file(GLOB_RECURSE core "${ROOT}/core/*.[ch]")
file(GLOB_RECURSE backends "${ROOT}/backends/*.[ch]")
file(GLOB public "${ROOT}/include/yoke/*.h")
if(NOT core OR NOT public)
  message(FATAL_ERROR "${ROOT} is not a tree of yoke: no core/*.c or no include/yoke/*.h")
endif()

foreach(file IN LISTS core)
  file(RELATIVE_PATH name "${ROOT}" "${file}")
  matching_lines(includes "${file}" "${include_regex}")
  foreach(line IN LISTS includes)
    if(NOT line MATCHES "<(${standard_headers})\\.h>|<yoke/[a-z_]+\\.h>|<msgpack\\.h>|<msgpack/[a-z_]+\\.h>|<nettle/[a-z0-9_]+\\.h>|\"[a-z_./]+\\.h\"")
      complain("${name}: core includes a header of some system: ${line}")
    elseif(line MATCHES "\"[^\"]*(backends|posix|windows|uv)/")
      complain("${name}: core includes a header of a backend: ${line}")
    endif()
  endforeach()
  matching_lines(conditionals "${file}" "${platform_regex}")
  if(NOT name STREQUAL "core/atomic.h")
    matching_lines(processors "${file}" "${processor_regex}")
    list(APPEND conditionals ${processors})
  endif()
  foreach(line IN LISTS conditionals)
    complain("${name}: core asks which system or processor it is on: ${line}")
  endforeach()
endforeach()

foreach(file IN LISTS public)
  file(RELATIVE_PATH name "${ROOT}" "${file}")
  get_filename_component(base "${file}" NAME)
  matching_lines(includes "${file}" "${include_regex}")
  foreach(line IN LISTS includes)
    if(base STREQUAL "uv.h" AND line MATCHES "<uv\\.h>")
      continue()
    endif()
    if(NOT line MATCHES "<(stddef|stdint|stdbool|string)\\.h>|\"[a-z_]+\\.h\"|<yoke/[a-z_]+\\.h>")
      complain("${name}: a public header includes more than it may: ${line}")
    endif()
  endforeach()
  matching_lines(macros "${file}" "^[ \t]*#[ \t]*define")
  foreach(line IN LISTS macros)
    if(NOT line MATCHES "define[ \t]+YOKE_")
      complain("${name}: a macro without YOKE_ in front: ${line}")
    endif()
  endforeach()
endforeach()

foreach(file IN LISTS core backends public)
  file(RELATIVE_PATH name "${ROOT}" "${file}")
  matching_lines(marks "${file}" "(TODO|FIXME|XXX|HACK)([^a-zA-Z_]|$)")
  foreach(line IN LISTS marks)
    complain("${name}: unfinished: ${line}")
  endforeach()
endforeach()

# Rule 4: calls in files of backends/posix other than sys.c.
set(system_calls open close read write fork execve execv execvp waitpid waitid kill mmap munmap mprotect ftruncate
  fallocate posix_fallocate memfd_create shm_open shm_unlink socket socketpair bind connect sendmsg recvmsg sendto
  recvfrom send recv poll ppoll pipe pipe2 dup dup2 dup3 fcntl syscall mkfifo unlink prctl getrandom)
string(REPLACE ";" "|" system_calls "${system_calls}")
foreach(file IN LISTS backends)
  file(RELATIVE_PATH name "${ROOT}" "${file}")
  if(NOT name MATCHES "^backends/posix/.*\\.c$" OR name STREQUAL "backends/posix/sys.c")
    continue()
  endif()
  matching_lines(calls "${file}" "(^|[^a-zA-Z0-9_.>*\"])(${system_calls})\\(")
  # Comments and declarations of functions of ours are no calls; asking for the thread's number can't fail.
  list(FILTER calls EXCLUDE REGEX "^[ \t]*(/?\\*|//|static |int |void )|SYS_gettid")
  foreach(line IN LISTS calls)
    complain("${name}: a system call past the table: ${line}")
  endforeach()
endforeach()

if(complaints)
  message(FATAL_ERROR "The tree breaks its rules:\n${complaints}")
endif()
message(STATUS "tree: rules kept")
