# What every target of smb3d shares: warnings, sanitizers, compiler cache, linker, and the two functions
# that the folders' CMakeLists.txt use.  target_link_libraries is the law of the architecture: a folder
# may include only what its library links (tests/tidy checks the rest).

find_program(SMB3D_CCACHE ccache)
if(SMB3D_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${SMB3D_CCACHE})
    if(SMB3D_PCH)
        set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
            CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${SMB3D_CCACHE})
    endif()
endif()

add_compile_options(-Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual)
if(SMB3D_WERROR)
    add_compile_options(-Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_compile_options(-Wthread-safety)
endif()
add_compile_options(-fno-omit-frame-pointer)
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
    add_compile_options(-D_FORTIFY_SOURCE=2 -fstack-protector-strong)
endif()

if(SMB3D_SANITIZE)
    # -g1 has the lines for reports, and is what takes less time.
    add_compile_options(-fsanitize=${SMB3D_SANITIZE} -fno-sanitize-recover=all -O1 -g1)
    add_link_options(-fsanitize=${SMB3D_SANITIZE})
endif()
if(SMB3D_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(SMB3D_LLD ld.lld)
if(SMB3D_LLD AND NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_link_options(-fuse-ld=lld)
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
pkg_check_modules(LIBURING REQUIRED IMPORTED_TARGET liburing)
pkg_check_modules(LIBSYSTEMD REQUIRED IMPORTED_TARGET libsystemd)

# The headers that nearly every file includes, compiled once a target (SMB3D_PCH; ./run test sets it).  Not the
# default: a build without it notices an include that is missing.
function(smb3d_precompile target)
    get_target_property(sources ${target} SOURCES)
    list(LENGTH sources count)
    if(NOT SMB3D_PCH OR count LESS 5)
        return()
    endif()
    target_precompile_headers(${target} PRIVATE <algorithm> <array> <atomic> <chrono> <cstdint> <cstring>
        <expected> <functional> <map> <memory> <mutex> <optional> <span> <string> <string_view> <utility>
        <vector> <fmt/core.h> ${ARGN})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
        target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")  # for ccache
    endif()
endfunction()

# smb3d_library(NAME LINK...): the static library smb3d_NAME from all .cpp files of the current folder.
function(smb3d_library name)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
    add_library(smb3d_${name} STATIC ${sources})
    target_include_directories(smb3d_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(smb3d_${name} PUBLIC ${ARGN})
    smb3d_precompile(smb3d_${name})
endfunction()

# smb3d_test(NAME LINK...): the GoogleTest program test_NAME from all .cpp files of the current folder,
# each of its cases a ctest of its own.
function(smb3d_test name)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
    add_executable(test_${name} ${sources})
    target_include_directories(test_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
    target_link_libraries(test_${name} PRIVATE ${ARGN} GTest::gmock GTest::gtest_main)
    smb3d_precompile(test_${name} <gtest/gtest.h>)
    target_compile_definitions(test_${name} PRIVATE SMB3D_TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}")
    # Not on the command line of the compiler's -Werror: gtest's own macros compare signed with unsigned.
    target_compile_options(test_${name} PRIVATE -Wno-sign-conversion -Wno-sign-compare)
    if(SMB3D_SANITIZE)
        # GoogleTest's macros make functions that take three times as long to optimise as to run.
        target_compile_options(test_${name} PRIVATE -O0)
    endif()
    gtest_discover_tests(test_${name} TEST_PREFIX ${name}. DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
                         PROPERTIES TIMEOUT 120)
endfunction()
