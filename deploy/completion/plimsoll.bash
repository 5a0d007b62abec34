# SPDX-License-Identifier: Apache-2.0
# bash completion for plimsoll: commands, options and their values.

_plimsoll() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
    local offers=
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        offers="daemon check list metrics --help --version"
    else
        case $before in
            --config | --web.config.file)
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -f -- "$word")
                return
                ;;
            --log.level) offers="trace debug info warn error" ;;
            --format) offers="table json" ;;
            --web.listen-address) ;; # an address is typed
            *)
                case $command in
                    daemon) offers="--config --web.listen-address --web.config.file --log.level --help" ;;
                    check) offers="--config --help" ;;
                    list) offers="--config --format --help" ;;
                    metrics) offers="--help" ;;
                esac
                ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$offers" -- "$word")
}

complete -F _plimsoll plimsoll
