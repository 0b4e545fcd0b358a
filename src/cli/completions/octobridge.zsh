#compdef octobridge

_octobridge() {
    local context state state_descr line
    typeset -A opt_args

    _arguments -s -S \
        '--help[display usage information]' \
        '*::command:->subcmd' && return 0

    case $state in
        (subcmd)
            local -a subcommands
            subcommands=(
                'run:Run the service in the foreground, until it is told to stop'
                'status:Ask the running service how it is\: a line for the service, one per bridge, one per problem'
                'doctor:Check everything, from the files to the clouds, and say what to do about what is wrong'
                'config:Show the effective settings and where each came from, or check them'
                'pair:Pair the printer with a service, step by step'
                'test:Send a test message now, whether the bridge is switched on or not, and say what came of it'
                'completions:Print the completion script for a shell\: bash, zsh, fish or nushell'
                'secret:Store a secret, read from standard input'
                'snapshot:Save the camera'\''s current picture, a JPEG'
                'version:Print the version'
            )
            if (( CURRENT == 1 )); then
              _describe -t commands 'CommandLine commands' subcommands
                return
            fi
            local cmd=$words[1]
            curcontext="${curcontext%:*:*}:octobridge-$cmd"
            case $cmd in
                (run)
                    _octobridge_run
                    ;;
                (status)
                    _octobridge_status
                    ;;
                (doctor)
                    _octobridge_doctor
                    ;;
                (config)
                    _octobridge_config
                    ;;
                (pair)
                    _octobridge_pair
                    ;;
                (test)
                    _octobridge_test
                    ;;
                (completions)
                    _octobridge_completions
                    ;;
                (secret)
                    _octobridge_secret
                    ;;
                (snapshot)
                    _octobridge_snapshot
                    ;;
                (version)
                    _octobridge_version
                    ;;
            esac
            ;;
    esac
}

_octobridge_run() {
    local context state state_descr line
    typeset -A opt_args

    _arguments -s -S \
        '--help[display usage information]' \
        '--takeovers[how often a worker had to take over before, in a row]'': :' \
        '--restarts[how often a process of the service had to be replaced before]'': :' \
        '--delay[milliseconds to wait before the first start]'': :' \
        && return 0
}

_octobridge_status() {
    local context state state_descr line
    typeset -A opt_args

    _arguments -s -S \
        '--help[display usage information]' \
        '--json[print JSON (schema 1)]' \
        && return 0
}

_octobridge_doctor() {
    local context state state_descr line
    typeset -A opt_args

    _arguments -s -S \
        '--help[display usage information]' \
        '--json[print JSON (schema 1)]' \
        && return 0
}

_octobridge_config() {
    local context state state_descr line
    typeset -A opt_args

    _arguments -s -S \
        '--help[display usage information]' \
        '*::command:->subcmd' && return 0

    case $state in
        (subcmd)
            local -a subcommands
            subcommands=(
                'show:Show every setting, its value (secrets hidden) and its origin'
                'check:Check the settings; exit code 2 and the reasons when something is wrong'
            )
            if (( CURRENT == 1 )); then
              _describe -t commands 'config commands' subcommands
                return
            fi
            local cmd=$words[1]
            curcontext="${curcontext%:*:*}:octobridge_config-$cmd"
            case $cmd in
                (show)
                    _octobridge_config_show
                    ;;
                (check)
                    _octobridge_config_check
                    ;;
            esac
            ;;
    esac
}

_octobridge_config_show() {
    local context state state_descr line
    typeset -A opt_args

    _arguments -s -S \
        '--help[display usage information]' \
        '--json[print JSON (schema 1)]' \
        && return 0
}

_octobridge_config_check() {
    local context state state_descr line
    typeset -A opt_args

    _arguments -s -S \
        '--help[display usage information]' \
        '--json[print JSON (schema 1)]' \
        && return 0
}

_octobridge_pair() {
    local context state state_descr line
    typeset -A opt_args

    _arguments -s -S \
        '--help[display usage information]' \
        '*::command:->subcmd' && return 0

    case $state in
        (subcmd)
            local -a subcommands
            subcommands=(
                'octoapp:Show what the app needs, wait for a phone to register, send it a first push, and switch the bridge on'
                'telegram:Find the chat to send to, store the bot'\''s token, and switch the bridge on'
            )
            if (( CURRENT == 1 )); then
              _describe -t commands 'pair commands' subcommands
                return
            fi
            local cmd=$words[1]
            curcontext="${curcontext%:*:*}:octobridge_pair-$cmd"
            case $cmd in
                (octoapp)
                    _octobridge_pair_octoapp
                    ;;
                (telegram)
                    _octobridge_pair_telegram
                    ;;
            esac
            ;;
    esac
}

_octobridge_pair_octoapp() {
    local context state state_descr line
    typeset -A opt_args

    _arguments -s -S \
        '--help[display usage information]' \
        '--forget[delete the registrations of all phones, after asking, and switch the bridge off; the encryption key stays]' \
        '--yes[forget without asking]' \
        '--wait[seconds to wait for a phone, up to 3600; default\: 300]'': :' \
        && return 0
}

_octobridge_pair_telegram() {
    local context state state_descr line
    typeset -A opt_args

    _arguments -s -S \
        '--help[display usage information]' \
        '--yes[take the chat that sends the code without asking back]' \
        '--control[let the person who sends the code control the printer from the chat; asked for without --yes]' \
        '--forget[delete the token and switch the bridge off]' \
        '--wait[seconds to wait for the message, up to 3600; default\: 300]'': :' \
        && return 0
}

_octobridge_test() {
    local context state state_descr line
    typeset -A opt_args

    _arguments -s -S \
        '--help[display usage information]' \
        && return 0
}

_octobridge_completions() {
    local context state state_descr line
    typeset -A opt_args

    _arguments -s -S \
        '--help[display usage information]' \
        && return 0
}

_octobridge_secret() {
    local context state state_descr line
    typeset -A opt_args

    _arguments -s -S \
        '--help[display usage information]' \
        '*::command:->subcmd' && return 0

    case $state in
        (subcmd)
            local -a subcommands
            subcommands=(
                'set:Read one line from standard input and store it under NAME; an empty line deletes the secret'
            )
            if (( CURRENT == 1 )); then
              _describe -t commands 'secret commands' subcommands
                return
            fi
            local cmd=$words[1]
            curcontext="${curcontext%:*:*}:octobridge_secret-$cmd"
            case $cmd in
                (set)
                    _octobridge_secret_set
                    ;;
            esac
            ;;
    esac
}

_octobridge_secret_set() {
    local context state state_descr line
    typeset -A opt_args

    _arguments -s -S \
        '--help[display usage information]' \
        && return 0
}

_octobridge_snapshot() {
    local context state state_descr line
    typeset -A opt_args

    _arguments -s -S \
        '--help[display usage information]' \
        '--camera[name or uid of the camera; default\: the one of the settings, else the first that is on and has a picture]'': :' \
        && return 0
}

_octobridge_version() {
    local context state state_descr line
    typeset -A opt_args

    _arguments -s -S \
        '--help[display usage information]' \
        && return 0
}

if [[ $funcstack[1] == _octobridge ]]; then
    _octobridge "$@"
else
    compdef _octobridge octobridge
fi
