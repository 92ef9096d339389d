#!/bin/sh
# tune_cross_test.sh TOOL ISA BUILD SCHEDULES EMULATOR: the tuner of this machine, TOOL, tunes for ISA with what the cross build BUILD made,
# behind its emulator, and behind logins (stood in for) to two boards, one of which dies.
set -eu
tool=$1 isa=$2 build=$3 schedules=$4 emulator=$5
work=$(mktemp -d "${TMPDIR:-/tmp}/lookupffn_tune_cross.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir tmp board
export TMPDIR="$work/tmp"
tune() {
  "$tool" tune --workload "d_in=32 tables=4 bits=3 block=16" --isa "$isa" --target "$build" --schedules "$schedules" --tokens 8 \
    --sample-time 0.01 --out out "$@"
}
expect() { # FILE TEXT
  grep -qF -- "$2" "$1" || { echo "no '$2' in what the tuner said:"; cat "$1"; exit 1; }
}
only_ok() { # LOG TRIALS
  test "$(grep -c '"status":"ok"' "$1")" = "$2" || { echo "not all of $2 trials are ok:"; cat "$1"; exit 1; }
}

tune --trials 3 --log emulator.jsonl --runner "$emulator" >said 2>&1 || { cat said; exit 1; }
expect said "no records"
only_ok emulator.jsonl 6

# ssh to a board: the host, then a command line. The board's programs run under the emulator; nobody tells the tuner.
cat >ssh <<END
#!/bin/sh
host=\$1; shift
echo >>'$work/calls.'\$host
if [ \$host = dies ] && [ \$(wc -l <'$work/calls.dies') -gt 2 ]; then # at its second trial
  echo 'client_loop: send disconnect: Broken pipe' >&2
  exit 255
fi
case "\$*" in
"uname -m") echo "Welcome to \$host"; echo aarch64 arm64 riscv64 | tr ' ' '\\n'; exit ;;
esac
cd '$work/board'
TMPDIR='$work/board' exec sh -c "\$(echo "\$*" | sed 's|&& "\$f"|\\&\\& $emulator "\$f"|')"
END
chmod +x ssh
tune --trials 6 --log boards.jsonl --kernels gather --runner "$work/ssh lives" --runner "$work/ssh dies" >said 2>&1 || { cat said; exit 1; }
expect said "left out: --runner \"$work/ssh dies\""
expect said "Broken pipe"
expect said "no record"
only_ok boards.jsonl 6
grep -q '"board":".*ssh lives"' boards.jsonl
test -z "$(ls board)" || { echo "programs were left behind on the board"; exit 1; }
test ! -e out/tuned || { echo "an emulator's times became a record"; exit 1; }
