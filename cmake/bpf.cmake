# SPDX-License-Identifier: Apache-2.0
# Every bpf/**/X.bpf.c becomes X.skel.h: compiled by clang, stripped (2.2 MB of header become 0.1 MB), turned into
# a skeleton by bpftool. Dependencies come from the compiler, so touching a header rebuilds what includes it.
find_program(CLANG_BPF NAMES clang-19 REQUIRED)
find_program(LLVM_STRIP NAMES llvm-strip-19 REQUIRED)
find_program(BPFTOOL NAMES bpftool PATHS /usr/sbin /sbin REQUIRED)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(bpf_arch arm64)
else()
  set(bpf_arch x86)
endif()
pkg_get_variable(libbpf_include libbpf includedir)
# <linux/types.h> needs <asm/types.h>, which clang does not look for when the target is bpf.
set(multiarch_include /usr/include/${CMAKE_LIBRARY_ARCHITECTURE})

file(GLOB_RECURSE bpf_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bpf/*.bpf.c)
set(bpf_out ${CMAKE_BINARY_DIR}/skeletons)
file(MAKE_DIRECTORY ${bpf_out})

# plimsoll_add_skeleton(SOURCE OUTPUT_VARIABLE [flags…]): also used by the bench's own kernel programs.
function(plimsoll_add_skeleton source result)
  get_filename_component(name ${source} NAME)
  string(REPLACE ".bpf.c" "" name ${name})
  set(object ${bpf_out}/${name}.bpf.o)
  set(header ${bpf_out}/${name}.skel.h)
  add_custom_command(OUTPUT ${object}
    COMMAND ${CLANG_BPF} -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_${bpf_arch} -Wall -Wextra -Werror
            -Wno-missing-declarations -Wno-unused-parameter -I${CMAKE_SOURCE_DIR}/bpf/include
            -I${CMAKE_SOURCE_DIR}/bpf -I${libbpf_include} -idirafter ${multiarch_include} -MD -MF ${object}.d -MT ${object}
            -c ${source} -o ${object}
    COMMAND ${LLVM_STRIP} -g ${object}
    DEPENDS ${source} DEPFILE ${object}.d COMMENT "kernel program ${name}" VERBATIM)
  add_custom_command(OUTPUT ${header}
    COMMAND sh -c "${BPFTOOL} gen skeleton '${object}' name '${name}_bpf' > '${header}.tmp' && mv '${header}.tmp' '${header}'"
    DEPENDS ${object} COMMENT "skeleton ${name}" VERBATIM)
  set(${result} ${header} PARENT_SCOPE)
endfunction()

set(skeletons)
foreach(source ${bpf_sources})
  plimsoll_add_skeleton(${source} header)
  list(APPEND skeletons ${header})
endforeach()
add_custom_target(skeletons DEPENDS ${skeletons})
add_library(plimsoll_bpf INTERFACE)
target_include_directories(plimsoll_bpf SYSTEM INTERFACE ${bpf_out})
add_dependencies(plimsoll_bpf skeletons)
