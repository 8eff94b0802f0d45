/**
 * The child process: it starts the server, and stops it as soon as its standard input ends, because
 * this program wants it to or is no more. No handler for signals or `unload` would do as well, as
 * `kill -9` runs none.
 *
 * Whatever touches the data folder is done here, as the server's user. So nothing is left behind if
 * this program is killed during `initdb`, and root neither reads nor writes in other users' folders.
 *
 * The password for a new cluster is the first line of standard input: arguments and environment are
 * for everybody to see. On standard output appear lines `burst: <event> <detail>`:
 * - `initdb` before a cluster is created,
 * - `unusable` where the template for one is damaged, and `initdb` has to do,
 * - `password <it>` and `server <pid>` when the server was started,
 * - `signal <number>` where a signal has ended the server,
 * - `failed <what>` before the end, if it is nobody's wish. What the server logged follows.
 */
export const SUPERVISOR = String.raw`
umask 077
# A signal to everybody (the terminal's hang-up, a service manager's stop) must not keep this shell
# from cleaning up. initdb and postgres install handlers of their own.
trap '' HUP INT QUIT TERM PIPE
exec 3<&0 </dev/null
IFS= read -r password <&3 || exit

say() { printf 'burst: %s\n' "$*"; }

child= stopping= insisting= signal=
stop() {
  stopping=1
  [ -n "$child" ] && [ -z "$insisting" ] || return
  insist >/dev/null &
  insisting=$!
}
# A process that has just been started ignores the signals that this shell ignores. So they are sent
# until it has ended.
insist() {
  tries=0
  while kill -s "$signal" "$child"; do
    kill -s CONT "$child" # in case somebody has frozen it
    sleep 0.1 || sleep 1
    tries=$((tries + 1))
    [ "$tries" -ne 100 ] || signal=QUIT
  done
}
# Should somebody have killed this shell, then the other end of the lifeline cleans up.
take_over() {
  kill -s QUIT "$(head -n 1 "$data/postmaster.pid")"
  sleep 1
  [ -z "$temporary" ] || rm -rf "$data"
}
# A signal that comes in the middle of a trap may be lost, so it is sent until this shell has ended.
hold_lifeline() {
  (while read -r ignored; do :; done
    while kill -s USR1 $$; do sleep 0.1 || sleep 1; done
    take_over) <&3 >/dev/null &
  lifeline=$!
}
trap stop USR1
hold_lifeline
# Should somebody have killed the other end, then another one takes its place. In dash, what a trap asks
# may have a wrong answer where another trap comes in between: so "stopping" is asked last.
trap 'kill -s 0 "$lifeline" || [ -n "$stopping" ] || hold_lifeline' CHLD

run_to_end() {
  child=$1
  [ -z "$stopping" ] || stop
  # A signal ends "wait" early
  while wait "$child"; status=$?; kill -s 0 "$child"; do :; done
  child=
}

finish() {
  trap '' CHLD
  kill -s KILL "$lifeline" $insisting
  if [ -n "$temporary" ]; then rm -rf "$data" || { sleep 1; rm -rf "$data"; }; fi
  exit
}

if [ -n "$temporary" ]; then
  mkdir -m 700 "$data" || { say failed mkdir; temporary=; finish; }
elif ! [ -x "$data" ] || ! [ -w "$data" ]; then
  say failed access
  finish
fi

# A template's password is nobody's, so that each copy needs one
unpack() {
  tar -C "$data" -xf "$template" &&
    "$bin/postgres" --single -F -c exit_on_error=on -D "$data" postgres >/dev/null <<END &&
alter role $user password '$password'
END
    printf '%s\n' "$password" >"$data/burst_password"
}

if [ -n "$template" ] && ! unpack; then
  say unusable
  rm -rf "$data"
  mkdir -m 700 "$data"
fi

if [ -e "$data/PG_VERSION" ]; then
  IFS= read -r password <"$data/burst_password" || { say failed password; finish; }
else
  say initdb
  signal=TERM # initdb then removes what it has made
  "$bin/initdb" -D "$data" --pwfile=/dev/fd/4 $initdb_args 3<&- 4<<END 2>&1 &
$password
END
  run_to_end $!
  [ "$status" -eq 0 ] || { say failed initdb; finish; }
  if [ -n "$archive" ]; then
    tar -C "$data" -cf "$archive" . || say failed archive
    finish
  fi
  printf '%s\n' "$password" >"$data/burst_password"
  [ -z "$stopping" ] || finish
fi

log=$data/server.log
logged=$(wc -c <"$log" || echo 0)
signal=INT # disconnect everybody and write everything down
[ -z "$temporary" ] || signal=QUIT # nobody will read the data again
"$bin/postgres" -D "$data" "$@" 3<&- >>"$log" 2>&1 &
say password "$password"
say server $!
run_to_end $!
if [ -n "$temporary" ] && [ "$status" -gt 128 ]; then
  # A server that was killed leaves shared memory behind. Its next start removes that
  sleep 0.1 || sleep 1
  "$bin/postgres" --single -F -D "$data" postgres </dev/null >/dev/null 2>&1
fi
[ "$status" -le 128 ] || say signal $((status - 128))
[ -n "$stopping" ] || say failed postgres
tail -c +$((logged + 1)) "$log" | tail -n 100
finish
`;
