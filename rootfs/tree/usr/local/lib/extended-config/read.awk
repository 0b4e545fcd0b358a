# Prints one value of an INI file, read by the rules of Python's configparser with its defaults, because that
# is what the printer's helper does. Environment: SECTION, KEY, DEFAULT, and HAS_DEFAULT (1 or 0).
# Exit status 1 with a line on standard error where configparser raises.
# Differences: keys are lowered as ASCII only, and white space is that of ASCII.

function fail(text) {
    printf "extended-config: %s\n", text | "cat >&2"
    close("cat >&2")
    failed = 1
    exit 1
}

function strip(text) {
    sub(/^[ \t\r\n\f\v]+/, "", text)
    sub(/[ \t\r\n\f\v]+$/, "", text)
    return text
}

# One physical line. State: section, option (current), level (indentation of the last option or header).
function take(line,    text, indent, at, name) {
    text = strip(line)
    if (text ~ /^[#;]/) return
    if (text == "") {
        # An empty line belongs to the value above it, should indented lines follow.
        if (option != "") value[section, option] = value[section, option] "\n"
        return
    }
    match(line, /[^ \t\r\n\f\v]/)
    indent = RSTART - 1
    if (option != "" && indent > level) {
        value[section, option] = value[section, option] "\n" text
        return
    }
    level = indent
    if (match(text, /^\[.+\]/)) {
        name = substr(text, 2, RLENGTH - 2)
        if (name != "DEFAULT" && (name in seen)) fail("section [" name "] appears twice, line " NR)
        seen[name] = 1
        section = name
        inside = 1
        option = ""
        return
    }
    if (!inside) fail("no section header before line " NR)
    at = match(text, /[=:]/)
    name = at ? tolower(strip(substr(text, 1, at - 1))) : ""
    if (name == "") {
        # configparser reads on and complains at the end.
        if (bad == "") bad = "cannot read line " NR ": " text
        return
    }
    if ((section, name) in value) fail("key " name " appears twice in [" section "], line " NR)
    option = name
    value[section, option] = strip(substr(text, at + 1))
}

# The raw value of a key, from the section or from [DEFAULT]; sets `found`.
function raw(key,    text) {
    found = 1
    if ((wanted, key) in value) text = value[wanted, key]
    else if (("DEFAULT", key) in value) text = value["DEFAULT", key]
    else { found = 0; return "" }
    sub(/[ \t\r\n\f\v]+$/, "", text)
    return text
}

# Replaces %% and %(key)s, as BasicInterpolation does.
function interpolate(text, depth,    out, at, end, inner) {
    if (depth > 10) fail("values refer to each other too deeply")
    out = ""
    while ((at = index(text, "%")) > 0) {
        out = out substr(text, 1, at - 1)
        text = substr(text, at)
        if (substr(text, 2, 1) == "%") {
            out = out "%"
            text = substr(text, 3)
        } else if (substr(text, 2, 1) == "(" && match(text, /^%\([^)]+\)s/)) {
            end = RLENGTH
            inner = raw(tolower(substr(text, 3, end - 4)))
            if (!found) fail("a value refers to a key that does not exist: " text)
            out = out (index(inner, "%") ? interpolate(inner, depth + 1) : inner)
            text = substr(text, end + 1)
        } else {
            fail("'%' must be followed by '%' or '(': " text)
        }
    }
    return out text
}

{
    count = split($0, lines, "\r")
    # A carriage return at the end belongs to the line end; elsewhere it is a line end of its own.
    if (count > 1 && lines[count] == "") count--
    if (count == 0) take("")
    for (i = 1; i <= count; i++) take(lines[i])
}

END {
    if (failed) exit 1
    if (bad != "") fail(bad)
    wanted = ENVIRON["SECTION"]
    known = (wanted in seen) && wanted != "DEFAULT"
    text = raw(tolower(ENVIRON["KEY"]))
    if (!known && wanted != "DEFAULT") found = 0
    if (ENVIRON["HAS_DEFAULT"] == 1) {
        text = found ? interpolate(text, 1) : ENVIRON["DEFAULT"]
    } else {
        if (!known) fail("no section [" wanted "]")
        if (!found) fail("no key " ENVIRON["KEY"] " in [" wanted "]")
        text = interpolate(text, 1)
    }
    print strip(text)
}
