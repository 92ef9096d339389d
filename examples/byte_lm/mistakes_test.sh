#!/bin/sh
# mistakes_test.sh PATH_OF_BYTE_LM [EMULATOR]: each mistake is one line on standard error and an exit status that is not 0.
program=$1 emulator=${2-}
failed=0

byte_lm() { ${emulator:+"$emulator"} "$program" "$@"; }

# expect WORDS COMMAND...: the command fails with one line that holds the words.
expect() {
  words=$1
  shift
  if said=$("$@" 2>&1 >/dev/full); then
    echo "succeeded: $*"
    failed=1
  elif [ "$(printf '%s\n' "$said" | wc -l)" != 1 ] || ! printf '%s' "$said" | grep -q -e "$words"; then
    echo "said \"$said\", not one line with \"$words\": $*"
    failed=1
  fi
}

for bad in -1 nan inf 101 1e9 x; do
  expect "not a number from 0 to 100" byte_lm "--temperature=$bad"
done
expect "not in range" byte_lm --seed=-1
expect "not in range" byte_lm --length=-1
expect "not in range" byte_lm --threads=0
expect "nope" byte_lm --table-type nope
expect "nope" byte_lm --quick --isa nope
expect "/nonexistent" byte_lm --quick --data /nonexistent
expect "standard output" byte_lm --help
expect "standard output" byte_lm --quick
expect "standard output" byte_lm --quick --json
exit $failed
