# Keeps one RabbitMQ node and its epmd for as long as somebody holds the other end of standard input.
# $1 is the node's directory, $2 the server program; everything else stands in the environment.
# The kernel closes the pipe whatever way the owner ends, kill -9 included.
dir=$1
epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 </dev/null >"$dir/epmd.out" 2>&1 &
epmd=$!
# With RABBITMQ_ALLOW_INPUT set the script becomes the Erlang machine itself, so this is the machine's own pid.
"$2" -noinput </dev/null >"$dir/server.out" 2>&1 &
server=$!
echo "$server" >"$dir/server.pid.new" && mv "$dir/server.pid.new" "$dir/server.pid"

cat >/dev/null

# The data are thrown away, so there is nothing for an orderly shutdown (7 s) to save.
kill -KILL "$server" 2>/dev/null
wait "$server"
kill -KILL "$epmd" 2>/dev/null
wait "$epmd"
rm -rf "$dir"
