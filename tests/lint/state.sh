# No mutable globals or statics in the library: nothing of libcore lands in .data, .bss or
# thread-local storage.
lib=$BUILD/libcagsr.a
[ -f "$lib" ] || { echo "$lib: not built, run 'make'"; exit 1; }
objdump -t "$lib" | awk '
/^[^ ]+\.o:/ { object = $1; sub(/:.*/, "", object) }
NF > 4 && $(NF - 2) ~ /^\.(data|bss|tdata|tbss)(\.|$)/ && $(NF - 2) !~ /^\.data\.rel\.ro/ &&
$(NF - 1) !~ /^0+$/ {
    printf "%s: %s is mutable and global (%s)\n", object, $NF, $(NF - 2)
    bad = 1
}
END { exit bad }'
