# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where; the Debian package (package.cmake) has the same files.
# The program reads /etc/plimsoll whatever its prefix is: to look at an installation without one, set DESTDIR.
include(GNUInstallDirs)

install(TARGETS plimsoll)
install(TARGETS openssl_names DESTINATION lib/plimsoll PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
install(FILES ${CMAKE_BINARY_DIR}/openssl_names/libcrypto.so DESTINATION lib/plimsoll)

# The unit names the program by its path, which is known only now. systemd looks into lib/systemd of /usr and /usr/local.
set(PLIMSOLL_UNIT ${CMAKE_CURRENT_LIST_DIR}/../deploy/systemd/plimsoll.service)
install(CODE "
  file(READ \"${PLIMSOLL_UNIT}\" unit)
  string(REPLACE /usr/bin/plimsoll \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/plimsoll\" unit \"\${unit}\")
  file(WRITE \"${CMAKE_BINARY_DIR}/plimsoll.service\" \"\${unit}\")
  file(INSTALL DESTINATION \"\${CMAKE_INSTALL_PREFIX}/lib/systemd/system\" FILES \"${CMAKE_BINARY_DIR}/plimsoll.service\")")

# The administrator's file is never overwritten.
install(CODE "
  if(EXISTS \"\$ENV{DESTDIR}/etc/plimsoll/plimsoll.yaml\")
    message(STATUS \"Kept: /etc/plimsoll/plimsoll.yaml\")
  else()
    file(INSTALL DESTINATION /etc/plimsoll FILES \"${CMAKE_SOURCE_DIR}/config/plimsoll.yaml\")
  endif()")

# Packed as Debian wants it: without a time stamp, so that the same source gives the same file.
find_program(GZIP gzip REQUIRED)
function(plimsoll_gzip source result)
  add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/packed/${result}
    COMMAND sh -c "mkdir -p packed && '${GZIP}' -9nc '${CMAKE_SOURCE_DIR}/${source}' > 'packed/${result}'"
    DEPENDS ${CMAKE_SOURCE_DIR}/${source} WORKING_DIRECTORY ${CMAKE_BINARY_DIR} VERBATIM)
endfunction()
plimsoll_gzip(docs/plimsoll.8 plimsoll.8.gz)
plimsoll_gzip(CHANGELOG.md changelog.gz)
add_custom_target(packed ALL DEPENDS ${CMAKE_BINARY_DIR}/packed/plimsoll.8.gz ${CMAKE_BINARY_DIR}/packed/changelog.gz)
install(FILES ${CMAKE_BINARY_DIR}/packed/plimsoll.8.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)

install(FILES ${CMAKE_BINARY_DIR}/packed/changelog.gz deploy/debian/copyright docs/metrics.md docs/operations.md
  DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES deploy/completion/plimsoll.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
  RENAME plimsoll)
install(DIRECTORY deploy/grafana deploy/prometheus DESTINATION ${CMAKE_INSTALL_DATADIR}/plimsoll OPTIONAL
  FILES_MATCHING PATTERN *.json PATTERN *.yml PATTERN *.yaml)
