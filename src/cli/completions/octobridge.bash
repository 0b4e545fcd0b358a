_octobridge() {
    local i cur prev opts cmds
    COMPREPLY=()
    cur="${COMP_WORDS[COMP_CWORD]}"
    if [[ $COMP_CWORD -ge 1 ]]; then
        prev="${COMP_WORDS[COMP_CWORD-1]}"
    else
        prev=""
    fi
    cmd=""
    opts=""

    for i in ${COMP_WORDS[@]}; do
        case "${i}" in
            octobridge | */octobridge)
                cmd="octobridge"
                ;;
            run)
                cmd="octobridge_run"
                ;;
            status)
                cmd="octobridge_status"
                ;;
            doctor)
                cmd="octobridge_doctor"
                ;;
            config)
                cmd="octobridge_config"
                ;;
            show)
                cmd="octobridge_config_show"
                ;;
            check)
                cmd="octobridge_config_check"
                ;;
            pair)
                cmd="octobridge_pair"
                ;;
            octoapp)
                cmd="octobridge_pair_octoapp"
                ;;
            telegram)
                cmd="octobridge_pair_telegram"
                ;;
            test)
                cmd="octobridge_test"
                ;;
            completions)
                cmd="octobridge_completions"
                ;;
            secret)
                cmd="octobridge_secret"
                ;;
            set)
                cmd="octobridge_secret_set"
                ;;
            snapshot)
                cmd="octobridge_snapshot"
                ;;
            version)
                cmd="octobridge_version"
                ;;
        esac
    done

    case "${cmd}" in
        octobridge)
            opts="--help"
            cmds="run status doctor config pair test completions secret snapshot version"
            case "${prev}" in
                *)
                    COMPREPLY=( $(compgen -W "${opts} ${cmds}" -- "${cur}") )
                    return 0
                    ;;
            esac
            ;;
        octobridge_run)
            opts="--help --takeovers --restarts --delay"
            case "${prev}" in
                --takeovers)
                    COMPREPLY=()
                    return 0
                    ;;
                --restarts)
                    COMPREPLY=()
                    return 0
                    ;;
                --delay)
                    COMPREPLY=()
                    return 0
                    ;;
                *)
                    COMPREPLY=( $(compgen -W "${opts} ${cmds}" -- "${cur}") )
                    return 0
                    ;;
            esac
            ;;
        octobridge_status)
            opts="--help --json"
            case "${prev}" in
                *)
                    COMPREPLY=( $(compgen -W "${opts} ${cmds}" -- "${cur}") )
                    return 0
                    ;;
            esac
            ;;
        octobridge_doctor)
            opts="--help --json"
            case "${prev}" in
                *)
                    COMPREPLY=( $(compgen -W "${opts} ${cmds}" -- "${cur}") )
                    return 0
                    ;;
            esac
            ;;
        octobridge_config)
            opts="--help"
            cmds="show check"
            case "${prev}" in
                *)
                    COMPREPLY=( $(compgen -W "${opts} ${cmds}" -- "${cur}") )
                    return 0
                    ;;
            esac
            ;;
        octobridge_config_show)
            opts="--help --json"
            case "${prev}" in
                *)
                    COMPREPLY=( $(compgen -W "${opts} ${cmds}" -- "${cur}") )
                    return 0
                    ;;
            esac
            ;;
        octobridge_config_check)
            opts="--help --json"
            case "${prev}" in
                *)
                    COMPREPLY=( $(compgen -W "${opts} ${cmds}" -- "${cur}") )
                    return 0
                    ;;
            esac
            ;;
        octobridge_pair)
            opts="--help"
            cmds="octoapp telegram"
            case "${prev}" in
                *)
                    COMPREPLY=( $(compgen -W "${opts} ${cmds}" -- "${cur}") )
                    return 0
                    ;;
            esac
            ;;
        octobridge_pair_octoapp)
            opts="--help --forget --yes --wait"
            case "${prev}" in
                --wait)
                    COMPREPLY=()
                    return 0
                    ;;
                *)
                    COMPREPLY=( $(compgen -W "${opts} ${cmds}" -- "${cur}") )
                    return 0
                    ;;
            esac
            ;;
        octobridge_pair_telegram)
            opts="--help --yes --control --forget --wait"
            case "${prev}" in
                --wait)
                    COMPREPLY=()
                    return 0
                    ;;
                *)
                    COMPREPLY=( $(compgen -W "${opts} ${cmds}" -- "${cur}") )
                    return 0
                    ;;
            esac
            ;;
        octobridge_test)
            opts="--help"
            case "${prev}" in
                *)
                    COMPREPLY=( $(compgen -W "${opts} ${cmds}" -- "${cur}") )
                    return 0
                    ;;
            esac
            ;;
        octobridge_completions)
            opts="--help"
            case "${prev}" in
                *)
                    COMPREPLY=( $(compgen -W "${opts} ${cmds}" -- "${cur}") )
                    return 0
                    ;;
            esac
            ;;
        octobridge_secret)
            opts="--help"
            cmds="set"
            case "${prev}" in
                *)
                    COMPREPLY=( $(compgen -W "${opts} ${cmds}" -- "${cur}") )
                    return 0
                    ;;
            esac
            ;;
        octobridge_secret_set)
            opts="--help"
            case "${prev}" in
                *)
                    COMPREPLY=( $(compgen -W "${opts} ${cmds}" -- "${cur}") )
                    return 0
                    ;;
            esac
            ;;
        octobridge_snapshot)
            opts="--help --camera"
            case "${prev}" in
                --camera)
                    COMPREPLY=()
                    return 0
                    ;;
                *)
                    COMPREPLY=( $(compgen -W "${opts} ${cmds}" -- "${cur}") )
                    return 0
                    ;;
            esac
            ;;
        octobridge_version)
            opts="--help"
            case "${prev}" in
                *)
                    COMPREPLY=( $(compgen -W "${opts} ${cmds}" -- "${cur}") )
                    return 0
                    ;;
            esac
            ;;
    esac
}

complete -F _octobridge -o bashdefault -o default octobridge
