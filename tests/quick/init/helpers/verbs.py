#!/usr/bin/env python3
"""Stands in for the newer generation of the printer's extended-config.py: get, add, update.

It has the printer's quirks on purpose: a blank line ends a section, the key is rewritten as `key: value`, and the
file is written in place.
"""

import configparser
import re
import sys


def main(words):
    if words[:1] == ["get"] and len(words) in (4, 5):
        settings = configparser.ConfigParser()
        settings.read(words[1])
        if len(words) == 5:
            print(settings.get(words[2], words[3], fallback=words[4]).strip())
        else:
            print(settings.get(words[2], words[3]).strip())
        return 0
    if words[:1] in (["add"], ["update"]) and len(words) == 5:
        return write(*words[1:], create=words[0] == "add")
    print("ERROR: Invalid arguments", file=sys.stderr)
    return 1


def write(path, section, key, value, create):
    with open(path) as file:
        lines = file.readlines()
    at = next((i for i, line in enumerate(lines) if line.strip() == f"[{section}]"), None)
    if at is None:
        if not create:
            print(f"ERROR: Section '{section}' does not exist", file=sys.stderr)
            return 1
        lines += ["\n"] * bool(lines) + [f"[{section}]\n", f"{key}: {value}\n"]
    else:
        at += 1
        while at < len(lines) and lines[at].strip() and not lines[at].startswith("["):
            if re.match(rf"\s*{re.escape(key)}\s*[:=]", lines[at]):
                lines[at] = ""
                break
            at += 1
        lines.insert(at, f"{key}: {value}\n")
    with open(path, "w") as file:
        file.writelines(lines)
    return 0


sys.exit(main(sys.argv[1:]))
