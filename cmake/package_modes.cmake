# SPDX-License-Identifier: Apache-2.0
# Run by CPack before it packs: directories are 0755 whatever the umask of who builds the package.
execute_process(COMMAND find ${CPACK_TEMPORARY_DIRECTORY} -type d -exec chmod 0755 {} +
  COMMAND_ERROR_IS_FATAL ANY)
