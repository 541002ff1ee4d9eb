# The table of `make bench`: medians of odd and even counts, ratios of rates, the largest
# peak, a work that is set beside the one its name begins with.
cat >lines <<'END'
ours decode8 2 512 2048
llama-f32 decode8 4 512 1024
ours decode8 1 512 4096
llama-f32 decode8 2 512 1024
ours decode8 8 512 1024
ours-bf16 decode8 1 512 1024
ours step 3 2048 1024
trl-f32 step 36 2048 10240
ours step-files 6 2048 1024
ours step-own-files 4 2048 1024
ours adamw 1 700 1024
triad adamw 2 1000 1024
a line that is none of ours
no line of ours either
END
awk -f "$SRC/tests/bench/table.awk" lines
