# 64-bit Windows by mingw-w64, as Debian packages it, with the libraries and the Wine prefix that cmake/windows.sh has
# made. One flavour of threads (-win32) and everything static: a missing DLL ends a program without a word.

set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)

set(yoke_triple x86_64-w64-mingw32)
set(CMAKE_C_COMPILER ${yoke_triple}-gcc-win32)
set(CMAKE_CXX_COMPILER ${yoke_triple}-g++-win32)
set(CMAKE_RC_COMPILER ${yoke_triple}-windres)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_SHARED_LINKER_FLAGS_INIT -static)
set(CMAKE_MODULE_LINKER_FLAGS_INIT -static)

# Where windows.sh keeps what it made: YOKE_CACHE, as a CMake variable or in the environment.
if(NOT YOKE_CACHE)
  set(YOKE_CACHE "$ENV{YOKE_CACHE}")
endif()
if(NOT YOKE_CACHE)
  get_filename_component(YOKE_CACHE "${CMAKE_CURRENT_LIST_DIR}/../build/windows-deps" ABSOLUTE)
endif()
set(YOKE_CACHE "${YOKE_CACHE}" CACHE PATH "What cmake/windows.sh has made")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES YOKE_CACHE)

set(CMAKE_FIND_ROOT_PATH "${YOKE_CACHE}/prefix" /usr/${yoke_triple})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} "${YOKE_CACHE}/prefix/lib/pkgconfig")
set(ENV{PKG_CONFIG_PATH} "")

set(CMAKE_CROSSCOMPILING_EMULATOR "${CMAKE_CURRENT_LIST_DIR}/wine.sh" "${YOKE_CACHE}/wine")
