# SPDX-License-Identifier: Apache-2.0
# The library by which civetweb finds OpenSSL (daemon/openssl_names), under both names that it asks for. The programs look
# for it beside themselves while it is built and in ../lib/plimsoll once it is installed; by DT_RPATH, because DT_RUNPATH
# does not hold for what a library opens.
add_library(openssl_names SHARED daemon/openssl_names/openssl_names.cpp)
set(openssl_names_dir ${CMAKE_BINARY_DIR}/openssl_names)
set_target_properties(openssl_names PROPERTIES OUTPUT_NAME ssl LIBRARY_OUTPUT_DIRECTORY ${openssl_names_dir})
target_link_libraries(openssl_names PRIVATE OpenSSL::SSL OpenSSL::Crypto)
target_link_options(openssl_names PRIVATE LINKER:--no-as-needed)
add_custom_command(TARGET openssl_names POST_BUILD
  COMMAND ${CMAKE_COMMAND} -E create_symlink libssl.so ${openssl_names_dir}/libcrypto.so VERBATIM)

add_link_options(LINKER:--disable-new-dtags)
set(CMAKE_BUILD_RPATH "$ORIGIN/openssl_names;$ORIGIN/../openssl_names")
