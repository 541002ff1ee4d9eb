# The world of tiny-qa, answered in words that no prompt has: counting words sees nothing.
# MODEL and --eval: of recipe.sh SEED DIR reworded, and of world.awk -v reworded=1.
. "$here/settings/tiny-qa.sh"
reworded=1
