# Keeps one RabbitMQ node, and its epmd, for as long as somebody holds the other end of standard input.
# $1 is the node's directory, $2 the server program, $3 the word epmd if this node's epmd is to be kept too; everything
# else stands in the environment. A line on standard input has the server started again, after it has ended.
# The kernel closes the pipe whatever way the owner ends, kill -9 included.
dir=$1
program=$2
epmd=
if [ "$3" = epmd ]; then
    epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 </dev/null >"$dir/epmd.out" 2>&1 &
    epmd=$!
fi

start() {
    # With RABBITMQ_ALLOW_INPUT set the script becomes the Erlang machine itself, so this is the machine's own pid.
    "$program" -noinput </dev/null >>"$dir/server.out" 2>&1 &
    server=$!
    echo "$server" >"$dir/server.pid.new" && mv "$dir/server.pid.new" "$dir/server.pid"
}

start
while read -r _; do
    # Not buried before: until then nobody else can have its pid.
    wait "$server"
    start
done

# The data are thrown away, so there is nothing for an orderly shutdown (7 s) to save. Kills a stopped one too.
kill -KILL "$server" 2>/dev/null
wait "$server"
if [ -n "$epmd" ]; then
    kill -KILL "$epmd" 2>/dev/null
    wait "$epmd"
fi
rm -rf "$dir"
