# cagsr-sample --follow, with a publisher made of flock(1) and this shell: which version
# draws which batch, and what happens when the publisher ends or dies.
. "$KIT"
need jq flock

golden=$SRC/tests/golden
version() { # number, golden model
    cp -r "$golden/$2" "policy/v00000$1"
    ln -sfn "v00000$1" policy/current
}
say() { # batches, version, status
    echo "{\"batches\":$1,\"version\":$2,\"status\":\"$3\"}" >policy/progress.tmp
    mv policy/progress.tmp policy/progress.json
}
begin() {
    rm -rf policy
    mkdir policy
    version 0 smollm2-tiny
    say 0 0 running
    flock policy/publisher.lock sleep 60 &
    publisher=$!
    until ! flock -n policy/publisher.lock true; do sleep 0.02; done
}
end() {
    kill $publisher 2>/dev/null || :
    wait $publisher 2>/dev/null || :
}
for i in 1 2 3 4 5; do echo "{\"id\":\"p$i\",\"prompt_ids\":[3,4,$i]}"; done >prompts.jsonl
sample() {
    cagsr-sample -n 1 --max-tokens 4 -j1 --follow policy --batch-prompts 2 "$@"
}

echo "-- strictly on-policy: a new version behind each batch"
begin
sample prompts.jsonl | cagsr-cat -p -F kind,id,policy,batch,version | while read -r line; do
    echo "$line"
    case $line in
    *'"batch":0'*) version 1 llama-tiny && say 1 1 running ;;
    *'"batch":1'*) version 2 smollm2-tiny && say 2 2 running ;;
    esac
done >seen
end
jq -c 'del(.policy)' seen
jq -r 'select(.kind == "sample") | .policy' seen | awk '
    {hash[NR] = $1}
    END {print hash[1] == hash[2] && hash[3] == hash[4], hash[2] != hash[3], hash[5] == hash[1]}'

echo "-- a lag of one: the second batch does not wait"
begin
sample --lag 1 prompts.jsonl | cagsr-cat -p -F kind,batch,version | while read -r line; do
    case $line in
    *'"batch":1'*) version 1 smollm2-tiny && say 1 1 running ;;
    esac
    echo "$line"
done | jq -c 'select(.kind == "batch")'
end

echo "-- the publisher has enough"
begin
sample prompts.jsonl | cagsr-cat -p -F kind,id,batch,version | while read -r line; do
    echo "$line"
    case $line in
    *'"batch":0'*) say 1 1 'done' ;;
    esac
done
end

echo "-- it dies"
begin
rc=0
{ sample prompts.jsonl 2>err || echo $? >rc; } | cagsr-cat -p -F kind,batch 2>/dev/null | while read -r line; do
    case $line in
    *'"batch":0'*) kill $publisher ;;
    esac
done || :
cat rc
wc -l <err
end
