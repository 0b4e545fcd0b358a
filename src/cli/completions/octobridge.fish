function __fish_octobridge_using_command
    set -l cmd (commandline -xpc)
    set -e cmd[1]
    set -l target_cmd $argv

    set -l known_value_flags 'camera' 'delay' 'restarts' 'takeovers' 'wait' 

    set -l i 1
    set -l cleaned_cmd
    while test $i -le (count $cmd)
        set -l arg $cmd[$i]
        if string match -q -- "-*" $arg
            set -l pure_flag (string replace -r '^--?' '' -- $arg)
            if contains -- $pure_flag $known_value_flags
                set -l next_i (math $i + 1)
                if test $next_i -le (count $cmd)
                    if not string match -q -- "-*" $cmd[$next_i]
                        set i $next_i
                    end
                end
            end
        else
            set -a cleaned_cmd $arg
        end
        set i (math $i + 1)
    end

    set -l count_cleaned (count $cleaned_cmd)
    set -l count_target (count $target_cmd)
    
    if test $count_cleaned -ne $count_target
        return 1
    end
    
    for i in (seq $count_target)
        if test $cleaned_cmd[$i] != $target_cmd[$i]
            return 1
        end
    end
    
    return 0
end

complete -c octobridge -n '__fish_octobridge_using_command' -f -l help -d 'display usage information'
complete -c octobridge -n '__fish_octobridge_using_command' -f -a 'run' -d 'Run the service in the foreground, until it is told to stop'
complete -c octobridge -n '__fish_octobridge_using_command' -f -a 'status' -d 'Ask the running service how it is: a line for the service, one per bridge, one per problem'
complete -c octobridge -n '__fish_octobridge_using_command' -f -a 'doctor' -d 'Check everything, from the files to the clouds, and say what to do about what is wrong'
complete -c octobridge -n '__fish_octobridge_using_command' -f -a 'config' -d 'Show the effective settings and where each came from, or check them'
complete -c octobridge -n '__fish_octobridge_using_command' -f -a 'pair' -d 'Pair the printer with a service, step by step'
complete -c octobridge -n '__fish_octobridge_using_command' -f -a 'test' -d 'Send a test message now, whether the bridge is switched on or not, and say what came of it'
complete -c octobridge -n '__fish_octobridge_using_command' -f -a 'completions' -d 'Print the completion script for a shell: bash, zsh, fish or nushell'
complete -c octobridge -n '__fish_octobridge_using_command' -f -a 'secret' -d 'Store a secret, read from standard input'
complete -c octobridge -n '__fish_octobridge_using_command' -f -a 'snapshot' -d 'Save the camera\'s current picture, a JPEG'
complete -c octobridge -n '__fish_octobridge_using_command' -f -a 'version' -d 'Print the version'
complete -c octobridge -n '__fish_octobridge_using_command run' -l help -d 'display usage information'
complete -c octobridge -n '__fish_octobridge_using_command run' -l takeovers -r -d 'how often a worker had to take over before, in a row'
complete -c octobridge -n '__fish_octobridge_using_command run' -l restarts -r -d 'how often a process of the service had to be replaced before'
complete -c octobridge -n '__fish_octobridge_using_command run' -l delay -r -d 'milliseconds to wait before the first start'
complete -c octobridge -n '__fish_octobridge_using_command status' -f -l help -d 'display usage information'
complete -c octobridge -n '__fish_octobridge_using_command status' -f -l json -d 'print JSON (schema 1)'
complete -c octobridge -n '__fish_octobridge_using_command doctor' -f -l help -d 'display usage information'
complete -c octobridge -n '__fish_octobridge_using_command doctor' -f -l json -d 'print JSON (schema 1)'
complete -c octobridge -n '__fish_octobridge_using_command config' -f -l help -d 'display usage information'
complete -c octobridge -n '__fish_octobridge_using_command config' -f -a 'show' -d 'Show every setting, its value (secrets hidden) and its origin'
complete -c octobridge -n '__fish_octobridge_using_command config' -f -a 'check' -d 'Check the settings; exit code 2 and the reasons when something is wrong'
complete -c octobridge -n '__fish_octobridge_using_command config show' -l help -d 'display usage information'
complete -c octobridge -n '__fish_octobridge_using_command config show' -l json -d 'print JSON (schema 1)'
complete -c octobridge -n '__fish_octobridge_using_command config check' -l help -d 'display usage information'
complete -c octobridge -n '__fish_octobridge_using_command config check' -l json -d 'print JSON (schema 1)'
complete -c octobridge -n '__fish_octobridge_using_command pair' -f -l help -d 'display usage information'
complete -c octobridge -n '__fish_octobridge_using_command pair' -f -a 'octoapp' -d 'Show what the app needs, wait for a phone to register, send it a first push, and switch the bridge on'
complete -c octobridge -n '__fish_octobridge_using_command pair' -f -a 'telegram' -d 'Find the chat to send to, store the bot\'s token, and switch the bridge on'
complete -c octobridge -n '__fish_octobridge_using_command pair octoapp' -f -l help -d 'display usage information'
complete -c octobridge -n '__fish_octobridge_using_command pair octoapp' -f -l forget -d 'delete the registrations of all phones, after asking, and switch the bridge off; the encryption key stays'
complete -c octobridge -n '__fish_octobridge_using_command pair octoapp' -f -l yes -d 'forget without asking'
complete -c octobridge -n '__fish_octobridge_using_command pair octoapp' -f -l wait -r -d 'seconds to wait for a phone, up to 3600; default: 300'
complete -c octobridge -n '__fish_octobridge_using_command pair telegram' -l help -d 'display usage information'
complete -c octobridge -n '__fish_octobridge_using_command pair telegram' -l yes -d 'take the chat that sends the code without asking back'
complete -c octobridge -n '__fish_octobridge_using_command pair telegram' -l control -d 'let the person who sends the code control the printer from the chat; asked for without --yes'
complete -c octobridge -n '__fish_octobridge_using_command pair telegram' -l forget -d 'delete the token and switch the bridge off'
complete -c octobridge -n '__fish_octobridge_using_command pair telegram' -l wait -r -d 'seconds to wait for the message, up to 3600; default: 300'
complete -c octobridge -n '__fish_octobridge_using_command test' -l help -d 'display usage information'
complete -c octobridge -n '__fish_octobridge_using_command completions' -l help -d 'display usage information'
complete -c octobridge -n '__fish_octobridge_using_command secret' -f -l help -d 'display usage information'
complete -c octobridge -n '__fish_octobridge_using_command secret' -f -a 'set' -d 'Read one line from standard input and store it under NAME; an empty line deletes the secret'
complete -c octobridge -n '__fish_octobridge_using_command secret set' -l help -d 'display usage information'
complete -c octobridge -n '__fish_octobridge_using_command snapshot' -l help -d 'display usage information'
complete -c octobridge -n '__fish_octobridge_using_command snapshot' -l camera -r -d 'name or uid of the camera; default: the one of the settings, else the first that is on and has a picture'
complete -c octobridge -n '__fish_octobridge_using_command version' -f -l help -d 'display usage information'
