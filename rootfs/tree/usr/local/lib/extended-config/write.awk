# Changes an INI file in place, line by line, with the habits of the printer's helper: a blank line ends a
# section, keys are compared with their case and written as `key: value`, line ends become LF, and the file is
# cut to nothing before it is written. Environment: ACTION (add, update, comment, uncomment), FILE, SECTION,
# KEY, VALUE, OPEN_END (1 when the file's last line has no line end).

function complain(text) {
    printf "ERROR: %s\n", text | "cat >&2"
    close("cat >&2")
    failed = 1
    exit 1
}

function strip(text) {
    sub(/^[ \t\r\n\f\v]+/, "", text)
    sub(/[ \t\r\n\f\v]+$/, "", text)
    return text
}

# Whether a line is the header [NAME]: at the very start of the line, spaces inside the brackets allowed.
function is_header(line, name) {
    sub(/[ \t\r\n\f\v]+$/, "", line)
    if (line !~ /^\[.*\]$/) return 0
    return strip(substr(line, 2, length(line) - 2)) == name
}

# Whether a line is the header [NAME] behind a `#`.
function is_commented_header(line, name) {
    if (line !~ /^#/) return 0
    return strip(substr(line, 2)) == "[" name "]"
}

function has_key(line, key) {
    sub(/^[ \t\r\n\f\v]+/, "", line)
    if (substr(line, 1, length(key)) != key) return 0
    return substr(line, length(key) + 1) ~ /^[ \t\r\n\f\v]*[=:]/
}

# Puts a text before line `at`; everything from there on moves down.
function insert(at, text,    i) {
    for (i = count; i >= at; i--) line[i + 1] = line[i]
    line[at] = text
    count++
}

function write_file(    i) {
    printf "" > FILE
    for (i = 1; i <= count; i++) printf "%s", line[i] > FILE
    if (close(FILE) != 0) complain("cannot write " FILE)
}

function set_value(create,    i, inside, done) {
    for (i = 1; i <= count; i++) {
        if (inside && line[i] ~ /^[ \t\r\n\f\v]*\[.*\][ \t\r\n\f\v]*$/) break
        if (is_header(line[i], SECTION)) {
            inside = 1
        } else if (inside && strip(line[i]) == "") {
            break
        } else if (inside && has_key(line[i], KEY)) {
            if (done) complain("key '" KEY "' appears twice in section '" SECTION "'")
            line[i] = KEY ": " VALUE "\n"
            done = 1
        }
    }
    if (!inside) {
        if (!create) complain("section '" SECTION "' does not exist in " FILE)
        if (i > 1) insert(i++, "\n")
        insert(i++, "[" SECTION "]\n")
    }
    if (!done) insert(i, KEY ": " VALUE "\n")
    write_file()
    print "[" SECTION "] " KEY ": " VALUE
}

function comment(    i, inside, changed) {
    for (i = 1; i <= count; i++) {
        if (is_header(line[i], SECTION)) inside = 1
        if (!inside) continue
        if (strip(line[i]) == "") break
        if (line[i] !~ /^[ \t\f\v]*#/) {
            line[i] = "# " line[i]
            changed = changed line[i]
        }
    }
    report(inside, changed, "comment")
}

function uncomment(    i, inside, changed) {
    for (i = 1; i <= count; i++) {
        if (is_commented_header(line[i], SECTION)) inside = 1
        if (!inside) continue
        if (line[i] ~ /^#/) {
            # A line of nothing but `#` vanishes, line end and all.
            sub(/^#[ \t\r\n\f\v]*/, "", line[i])
            changed = changed line[i]
        } else if (strip(line[i]) == "") {
            break
        }
    }
    report(inside, changed, "uncomment")
}

function report(inside, changed, what) {
    if (!inside) {
        print "No section found to " what
        return
    }
    write_file()
    sub(/[ \t\r\n\f\v]+$/, "", changed)
    print "OK"
    print changed
}

BEGIN {
    FILE = ENVIRON["FILE"]; SECTION = ENVIRON["SECTION"]; KEY = ENVIRON["KEY"]; VALUE = ENVIRON["VALUE"]
}

{
    sub(/\r$/, "")
    line[++count] = $0 "\n"
}

END {
    if (ENVIRON["OPEN_END"] == 1) sub(/\n$/, "", line[count])
    if (ENVIRON["ACTION"] == "comment") comment()
    else if (ENVIRON["ACTION"] == "uncomment") uncomment()
    else set_value(ENVIRON["ACTION"] == "add")
    exit failed
}
