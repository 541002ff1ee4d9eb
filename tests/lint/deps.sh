# libcore/DEPS says which module may include which: every #include of libcore is held to
# it.  Libraries have their places, too; and a .c begins with its own header.
find libcore -name '*.[ch]' | sort | awk '
function report(text) { printf "%s:%d: %s\n", file, line, text; bad = 1 }

# Where a library header may stand: a pattern of files.
BEGIN {
    home["msgpack.h"] = home["msgpack/"] = "^libcore/rec/"
    home["cblas.h"] = "^libcore/kern/blas"
    home["pcre2.h"] = "^libcore/(tok/|base/pattern)"
    home["utf8proc.h"] = "^libcore/(base/chars|tok/|jinja/|reward/|metrics/)"
    home["xxhash.h"] = "^libcore/base/hash"
    home["pthread.h"] = "^libcore/(base/par|train/follow)\\.c$"
    home["jansson.h"] = "^libcore/(base/json|tok/|rec/|arch/|io/|model/|train/|reward/)"
    home["getopt.h"] = "^libcore/cli/"
    while ((getline text < "libcore/DEPS") > 0) {
        if (text ~ /^#/ || text ~ /^[ \t]*$/)
            continue
        n = split(text, word, /[: \t]+/)
        known[word[1]] = 1
        may[word[1], word[1]] = 1
        for (i = 2; i <= n; i++)
            if (word[i] != "")
                may[word[1], word[i]] = 1
    }
}

function check_own(name, module, first) {
    if (first == module "/" module_file ".h" || first == module_file ".h")
        return
    report("begins with \"" first "\", its own header is \"" module "/" module_file ".h\"")
}

function check_module(module, name,    other) {
    if (name !~ /\//)
        return
    other = name
    sub(/\/.*/, "", other)
    if (!(other in known))
        report("module " other " is not in libcore/DEPS")
    else if (!((module, other) in may))
        report("module " module " may not include \"" name "\" (libcore/DEPS)")
}

function check_library(name,    h, base) {
    for (h in home)
        if (name == h || (h ~ /\/$/ && index(name, h) == 1) || name ~ ("/" h "$"))
            if (file !~ home[h])
                report("<" name "> belongs into files that match " home[h])
}

{
    file = $0
    split(file, part, "/")
    module = part[2]
    module_file = part[3]
    sub(/\.[ch]$/, "", module_file)
    own = "libcore/" module "/" module_file ".h"
    has_own = file ~ /\.c$/ && (getline text < own) >= 0
    close(own)
    line = 0
    seen = 0
    if (!(module in known)) {
        line = 1
        report("module " module " is not in libcore/DEPS")
    }
    while ((getline text < file) > 0) {
        line++
        if (text !~ /^[ \t]*#[ \t]*include/)
            continue
        name = text
        sub(/^[^"<]*["<]/, "", name)
        sub(/[">].*/, "", name)
        if (!seen++ && has_own)
            check_own(name, module, name)
        if (text ~ /"/)
            check_module(module, name)
        else
            check_library(name)
    }
    close(file)
}
END { exit bad }'
