# SPDX-License-Identifier: Apache-2.0
# The Debian package: `cpack -G DEB` or the target `package`. Its files are those of install.cmake.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME plimsoll)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "The Plimsoll authors <plimsoll@example.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "attributes what the kernel does to containers, for Prometheus")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"Plimsoll finds the containers of a host by their cgroups, accounts with eBPF
for every second of every one of their threads, and serves the result on
/metrics. It watches containers of Docker, containerd, CRI-O, Podman,
Kubernetes, LXC and systemd-nspawn, and systemd's services. The kernel must
have type information (/sys/kernel/btf/vmlinux).")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/package_modes.cmake)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS prometheus)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(debian ${CMAKE_SOURCE_DIR}/deploy/debian)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${debian}/conffiles ${debian}/postinst ${debian}/prerm ${debian}/postrm)

include(CPack)
