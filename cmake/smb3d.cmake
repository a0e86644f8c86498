# What every target of smb3d shares: warnings, sanitizers, compiler cache, linker, and the two functions
# that the folders' CMakeLists.txt use.  target_link_libraries is the law of the architecture: a folder
# may include only what its library links (tests/tidy checks the rest).

find_program(SMB3D_CCACHE ccache)
if(SMB3D_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${SMB3D_CCACHE})
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
    add_compile_options(-fsanitize=${SMB3D_SANITIZE} -fno-sanitize-recover=all -O1)
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

# smb3d_library(NAME LINK...): the static library smb3d_NAME from all .cpp files of the current folder.
function(smb3d_library name)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
    add_library(smb3d_${name} STATIC ${sources})
    target_include_directories(smb3d_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(smb3d_${name} PUBLIC ${ARGN})
endfunction()

# smb3d_test(NAME LINK...): the GoogleTest program test_NAME from all .cpp files of the current folder,
# each of its cases a ctest of its own.
function(smb3d_test name)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
    add_executable(test_${name} ${sources})
    target_include_directories(test_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
    target_link_libraries(test_${name} PRIVATE ${ARGN} GTest::gmock GTest::gtest_main)
    target_compile_definitions(test_${name} PRIVATE SMB3D_TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}")
    # Not on the command line of the compiler's -Werror: gtest's own macros compare signed with unsigned.
    target_compile_options(test_${name} PRIVATE -Wno-sign-conversion -Wno-sign-compare)
    gtest_discover_tests(test_${name} TEST_PREFIX ${name}. DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
                         PROPERTIES TIMEOUT 120)
endfunction()
