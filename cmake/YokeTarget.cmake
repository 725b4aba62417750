# The library: one compilation of all sources (position independent, symbols hidden) feeds the static and the shared one.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(LIBUV REQUIRED IMPORTED_TARGET libuv>=1.41)
# Newer releases of msgpack-c name their C library msgpack-c.
pkg_search_module(MSGPACK REQUIRED IMPORTED_TARGET msgpack-c msgpack)
pkg_check_modules(NETTLE REQUIRED IMPORTED_TARGET nettle)

set(yoke_root "${PROJECT_SOURCE_DIR}")

# What the backend itself takes of the system beyond what the compiler links by itself.
set(yoke_system_libraries "")
if(WIN32)
  set(yoke_system_libraries ws2_32 advapi32 bcrypt synchronization)
endif()

# Warnings, language level and sanitizers; for every target of this project.
function(yoke_compile_options target)
  set_target_properties(${target} PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF
    CXX_STANDARD 11 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF)
  if(CMAKE_C_COMPILER_ID MATCHES "GNU|Clang")
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
      $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes;-Wmissing-prototypes>)
    if(MINGW) # formats as C has them, in place of those of the system's old C runtime
      target_compile_definitions(${target} PRIVATE __USE_MINGW_ANSI_STDIO=1)
    endif()
    if(YOKE_WARNINGS_AS_ERRORS)
      target_compile_options(${target} PRIVATE -Werror)
    endif()
    if(YOKE_FUZZ)
      target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
    endif()
    if(YOKE_SANITIZE)
      target_compile_options(${target} PRIVATE -fsanitize=${YOKE_SANITIZE} -fno-sanitize-recover=all
        -fno-omit-frame-pointer)
      target_link_options(${target} PRIVATE -fsanitize=${YOKE_SANITIZE})
    endif()
  endif()
endfunction()

# Sources of core, of what the backends share, and of each chosen backend.
function(yoke_collect_sources out)
  file(GLOB_RECURSE core CONFIGURE_DEPENDS "${yoke_root}/core/*.c")
  file(GLOB backends CONFIGURE_DEPENDS "${yoke_root}/backends/uv/*.c")
  foreach(backend IN LISTS YOKE_BACKENDS)
    file(GLOB sources CONFIGURE_DEPENDS "${yoke_root}/backends/${backend}/*.c")
    if(NOT IS_DIRECTORY "${yoke_root}/backends/${backend}")
      message(FATAL_ERROR "YOKE_BACKENDS names '${backend}', but there is no folder backends/${backend}.")
    endif()
    list(APPEND backends ${sources})
  endforeach()
  # Core sees standard C only; what backends need of the system is declared for them alone.
  if(WIN32)
    set_source_files_properties(${backends} PROPERTIES COMPILE_DEFINITIONS "_WIN32_WINNT=0x0A00;UNICODE;_UNICODE")
  else()
    set_source_files_properties(${backends} PROPERTIES COMPILE_DEFINITIONS "_GNU_SOURCE=")
  endif()
  set(${out} ${core} ${backends} PARENT_SCOPE)
endfunction()

# yoke__backends[]: each backend is the constant yoke__<name>_backend.
function(yoke_generate_backend_list out)
  file(GLOB tables CONFIGURE_DEPENDS "${yoke_root}/backends/*/table.c")
  set(YOKE_BACKEND_DECLARATIONS "")
  set(YOKE_BACKEND_LIST "")
  foreach(backend IN LISTS YOKE_BACKENDS)
    if(NOT EXISTS "${yoke_root}/backends/${backend}/table.c")
      message(WARNING "The backend '${backend}' has no table.c: left out.")
      continue()
    endif()
    string(APPEND YOKE_BACKEND_DECLARATIONS "extern const yoke_backend yoke__${backend}_backend;\n")
    string(APPEND YOKE_BACKEND_LIST "&yoke__${backend}_backend, ")
  endforeach()
  configure_file("${yoke_root}/cmake/backends.c.in" "${PROJECT_BINARY_DIR}/generated/backends.c" @ONLY)
  set(${out} "${PROJECT_BINARY_DIR}/generated/backends.c" PARENT_SCOPE)
endfunction()

function(yoke_link_usage target)
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${yoke_root}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${target} PRIVATE PkgConfig::LIBUV PkgConfig::MSGPACK PkgConfig::NETTLE Threads::Threads
    ${CMAKE_DL_LIBS} ${yoke_system_libraries})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME yoke)
  yoke_compile_options(${target})
endfunction()

# yoke_add_objects(target): one compilation of all sources.
function(yoke_add_objects target)
  add_library(${target} OBJECT ${ARGN})
  yoke_compile_options(${target})
  target_compile_definitions(${target} PRIVATE YOKE_BUILDING)
  if(CMAKE_C_COMPILER_ID MATCHES "GNU|Clang" AND NOT WIN32)
    # Or each forked child would look up by itself what its parent never called: a dozen page faults.
    target_compile_options(${target} PRIVATE -fno-plt)
  endif()
  target_include_directories(${target} PRIVATE "${yoke_root}/include" "${yoke_root}")
  target_link_libraries(${target} PRIVATE PkgConfig::LIBUV PkgConfig::MSGPACK PkgConfig::NETTLE Threads::Threads)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
endfunction()

function(yoke_add_library)
  yoke_collect_sources(sources)
  yoke_generate_backend_list(generated)
  yoke_add_objects(yoke_objects ${sources} ${generated})
  set(shared_objects yoke_objects)
  if(WIN32 AND YOKE_BUILD_SHARED)
    # There, what a library exports is settled when it is compiled.
    set(shared_objects yoke_shared_objects)
    yoke_add_objects(yoke_shared_objects ${sources} ${generated})
    target_compile_definitions(yoke_shared_objects PRIVATE YOKE_SHARED)
  endif()

  if(YOKE_BUILD_STATIC)
    add_library(yoke_static STATIC $<TARGET_OBJECTS:yoke_objects>)
    yoke_link_usage(yoke_static)
    set_target_properties(yoke_static PROPERTIES EXPORT_NAME static LINKER_LANGUAGE C)
    add_library(yoke::static ALIAS yoke_static)
  endif()
  if(YOKE_BUILD_SHARED)
    add_library(yoke_shared SHARED $<TARGET_OBJECTS:${shared_objects}>)
    yoke_link_usage(yoke_shared)
    if(WIN32)
      target_compile_definitions(yoke_shared INTERFACE YOKE_SHARED)
    endif()
    set_target_properties(yoke_shared PROPERTIES EXPORT_NAME shared LINKER_LANGUAGE C
      VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
    add_library(yoke::shared ALIAS yoke_shared)
    add_library(yoke::yoke ALIAS yoke_shared)
  else()
    add_library(yoke::yoke ALIAS yoke_static)
  endif()
endfunction()

# The executable that runs functions of modules whose host has a main of its own (plugins, language bindings).
function(yoke_add_helper)
  file(GLOB sources CONFIGURE_DEPENDS "${yoke_root}/backends/helper/*.c")
  if(NOT sources)
    return()
  endif()
  add_executable(yoke_helper ${sources})
  yoke_compile_options(yoke_helper)
  # The modules that it loads need the whole library, and the same one as the helper itself.
  if(NOT TARGET yoke_shared)
    target_sources(yoke_helper PRIVATE $<TARGET_OBJECTS:yoke_objects>)
    set_target_properties(yoke_helper PROPERTIES ENABLE_EXPORTS ON)
  endif()
  target_include_directories(yoke_helper PRIVATE "${yoke_root}")
  target_link_libraries(yoke_helper PRIVATE yoke::yoke)
  set_target_properties(yoke_helper PROPERTIES OUTPUT_NAME yoke-helper)
endfunction()
