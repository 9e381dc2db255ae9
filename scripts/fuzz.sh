#!/usr/bin/env bash
# Fuzzes the readers.
#   scripts/fuzz.sh [SECONDS [TARGET...]]   a minute of every target when nothing is said
#   scripts/fuzz.sh --keep [TARGET...]      puts a small selection of what was learnt into fuzz/corpus/
# Skipped, with a word, without a nightly toolchain or cargo-fuzz. What it learns stays in fuzz/work/; see fuzz/README.md.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
  echo "skipped: fuzzing needs a nightly toolchain and cargo-fuzz (cargo install cargo-fuzz)"
  exit 0
fi
seconds=${1:-60} # or --keep
targets=("${@:2}")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cargo +nightly fuzz list)

# Bytes of the longest input: two or three of the smallest fixtures of each library fit.
longest=32768

# The fixtures that a target begins with, one line each.
fixtures() { # TARGET
  case $1 in
    pickle) find pickles -name '*.pkl' ;;
    joblib) find pickles sklearn pickled -name '*.joblib' -o -name '*.zlib' -o -name '*.pkl.*' ;;
    npy) find pickles/3.13 -name '*.npy' ;;
    pickled_model) find sklearn pickled ngboost wrappers -name 'model.pkl' -o -name 'model.joblib' ;;
    lightgbm) find lightgbm -name 'model.txt' ;;
    xgboost_json) find xgboost -name 'model.json' ;;
    xgboost_ubjson) find xgboost -name 'model.ubj' ;;
    xgboost_binary) find xgboost -name 'model.bin' ;;
    catboost_binary) find catboost -name 'model.cbm' ;;
    catboost_json) find catboost -name 'model.json' ;;
    keras_archive) find keras -name 'model.keras' ;;
    hdf5) find keras hdf5 -name '*.h5' ;;
    onnx) find onnx -name 'model.onnx' ;;
    torch) find torch -name 'model.pt' -o -name 'model.pt2' ;;
    *) echo "scripts/fuzz.sh does not know what $1 begins with; give it a line in fixtures()" >&2; return 1 ;;
  esac
}

dictionary() { # TARGET
  case $1 in
    pickle | joblib | pickled_model) echo pickle ;;
    xgboost_*) echo xgboost ;;
    *) echo "$1" ;;
  esac
}

# The library is built with the versions of its own lock file.
cp Cargo.lock fuzz/Cargo.lock

# Of the inputs of at most 4 KiB those that together reach as much as all of them do, the most telling ones first, up to 12 KiB.
keep() { # TARGET
  local all size=0 folder bytes file
  all=$(mktemp -d)
  mkdir "$all/small" "$all/chosen"
  for folder in work seeds corpus; do
    find "fuzz/$folder/$1" -type f ! -name 'regression-*' -size -9 -exec cp -t "$all/small" {} +
  done
  cargo +nightly fuzz run "$1" -- -set_cover_merge=1 -max_len=4096 "$all/chosen" "$all/small" 2>/dev/null
  find "fuzz/corpus/$1" -type f ! -name 'regression-*' -delete
  while read -r _ bytes file; do
    if [ $((size + bytes)) -le 12288 ]; then
      size=$((size + bytes))
      cp "$file" "fuzz/corpus/$1/"
    fi
  done < <(find "$all/chosen" -type f -printf '%T@ %s %p\n' | sort -n)
  rm -r "$all"
  echo "$1: $size bytes"
}

for target in "${targets[@]}"; do
  if [ "$seconds" = --keep ]; then
    keep "$target"
    continue
  fi
  echo "== $target, $seconds seconds"
  rm -rf "fuzz/seeds/$target"
  mkdir -p "fuzz/seeds/$target" "fuzz/work/$target" "fuzz/corpus/$target"
  list=$(cd tests/fixtures && fixtures "$target")
  while read -r file; do
    if [ "$(stat -c %s "tests/fixtures/$file")" -le $longest ]; then
      cp "tests/fixtures/$file" "fuzz/seeds/$target/${file//\//+}"
    fi
  done <<<"$list"
  options=(-max_total_time="$seconds" -max_len=$longest -timeout=60 -rss_limit_mb=2048 -print_final_stats=1)
  dict=fuzz/dictionaries/$(dictionary "$target").dict
  [ ! -e "$dict" ] || options+=(-dict="$dict")
  cargo +nightly fuzz run "$target" "fuzz/work/$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- "${options[@]}"
done
