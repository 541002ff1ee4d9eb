# The pictures of examples/pictures/ are what `make docs` draws, to the byte, and README.md shows them.
. "$KIT"

mkdir made
BUILD=$BUILD sh "$SRC/examples/pictures/make.sh" "$PWD/made"
for picture in attention reward curves; do
    cmp "made/$picture.svg" "$SRC/examples/pictures/$picture.svg" && echo "$picture.svg same"
done
[ -s made/smollm2.html ] && echo "smollm2.html made"
grep -o '](examples/pictures/[a-z.]*)' "$SRC/README.md" | while read -r link; do
    file=${link#](}
    [ -f "$SRC/${file%)}" ] || echo "README.md: no ${file%)}"
done
