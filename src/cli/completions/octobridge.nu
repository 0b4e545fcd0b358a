export extern "octobridge" [
    --help # display usage information
]

export extern "octobridge run" [
    --help # display usage information
    --takeovers: string # how often a worker had to take over before, in a row
    --restarts: string # how often a process of the service had to be replaced before
    --delay: string # milliseconds to wait before the first start
    bootstrap?: string # bootstrap JSON to use: a path, or base64 as OctoApp's installers pass it
]

export extern "octobridge status" [
    --help # display usage information
    --json # print JSON (schema 1)
]

export extern "octobridge doctor" [
    --help # display usage information
    --json # print JSON (schema 1)
]

export extern "octobridge config" [
    --help # display usage information
]

export extern "octobridge config show" [
    --help # display usage information
    --json # print JSON (schema 1)
    bootstrap?: string # bootstrap JSON to use: a path, or base64
]

export extern "octobridge config check" [
    --help # display usage information
    --json # print JSON (schema 1)
    bootstrap?: string # bootstrap JSON to use: a path, or base64
]

export extern "octobridge pair" [
    --help # display usage information
]

export extern "octobridge pair octoapp" [
    --help # display usage information
    --forget # delete the registrations of all phones, after asking, and switch the bridge off; the encryption key stays
    --yes # forget without asking
    --wait: string # seconds to wait for a phone, up to 3600; default: 300
]

export extern "octobridge pair telegram" [
    --help # display usage information
    --yes # take the chat that sends the code without asking back
    --control # let the person who sends the code control the printer from the chat; asked for without --yes
    --forget # delete the token and switch the bridge off
    --wait: string # seconds to wait for the message, up to 3600; default: 300
    name?: string # the NAME of a section [telegram NAME], for a further bot or chat
]

export extern "octobridge test" [
    --help # display usage information
    ...bridge: string # the bridge, and behind it the NAME of a section [telegram NAME]
]

export extern "octobridge completions" [
    --help # display usage information
    shell: string # bash, zsh, fish or nushell
]

export extern "octobridge secret" [
    --help # display usage information
]

export extern "octobridge secret set" [
    --help # display usage information
    name: string # name of the secret, such as telegram_bot_token; telegram_NAME_bot_token for [telegram NAME]
]

export extern "octobridge snapshot" [
    --help # display usage information
    --camera: string # name or uid of the camera; default: the one of the settings, else the first that is on and has a picture
    file: string # where to save it; - writes it to standard output
]

export extern "octobridge version" [
    --help # display usage information
]

