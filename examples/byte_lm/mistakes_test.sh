#!/bin/sh
# mistakes_test.sh PATH_OF_BYTE_LM: each mistake is one line on standard error and an exit status that is not 0.
program=$1
failed=0

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
  expect "not a number from 0 to 100" "$program" "--temperature=$bad"
done
expect "not in range" "$program" --seed=-1
expect "not in range" "$program" --length=-1
expect "not in range" "$program" --threads=0
expect "nope" "$program" --table-type nope
expect "nope" "$program" --quick --isa nope
expect "/nonexistent" "$program" --quick --data /nonexistent
expect "standard output" "$program" --help
expect "standard output" "$program" --quick
expect "standard output" "$program" --quick --json
exit $failed
