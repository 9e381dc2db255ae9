#!/usr/bin/env bash
# The property tests of forests on an emulated processor with AVX-512 and VBMI, for machines that have neither: the emulator
# Bochs boots a kernel whose only program is the test executable. docs/forests.md names the packages.
#   scripts/emulate.sh [EXECUTABLE]   with EXECUTABLE those tests, instead of the library's own, which take minutes to compile
# In the environment:
#   FILTER                  which tests: words for the executable (exec::forest)
#   MI_FOREST_EVALUATIONS   as in the tests, but of fewer rows: a hundredth of the usual takes minutes here (10000)
#   MODEL                   the processor, one of `bochs --help cpu` (corei7_icelake_u)
#   BOCHS, BOCHS_DISPLAY    the emulator and its display (bochs, term)
#   KERNEL                  the kernel (the newest of /boot)
#   SECONDS_AT_MOST         when to give up (7200)
set -euo pipefail
executable=${1:+$(realpath "$1")}
cd "$(dirname "$0")/.."
bochs=${BOCHS:-bochs}
kernel=${KERNEL:-$(find /boot -name 'vmlinuz-*' 2>/dev/null | sort -V | tail -n 1 || true)}
work=$PWD/target/emulated
mkdir -p "$work"

if [ -z "$executable" ]; then
  # As `make nightly` builds them, except for what only takes time here: they run once, and slowly whatever the compiler does.
  export CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
  executable=$(cargo test --release --no-default-features --lib --no-run --target-dir "$work/target" --message-format=json |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
fi
[ -f "$executable" ] || { echo "no test executable" >&2; exit 2; }
[ -f "$kernel" ] || { echo "no kernel: install linux-image-cloud-amd64, or say where one is in KERNEL" >&2; exit 2; }

# All files of the machine, which the kernel unpacks into memory: no drivers of disks are needed.
root=$work/root
rm -rf "$root" "$work/disc"
mkdir -p "$root"/{bin,proc,dev,tmp} "$work/disc"
cp /bin/busybox "$root/bin/"
cp "$executable" "$root/tests"
ldd "$executable" | grep -o '/[^ ]*' | while read -r library; do
  install -D "$library" "$root$library"
done
cat >"$root/init" <<END
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
export MI_FOREST_EVALUATIONS=${MI_FOREST_EVALUATIONS:-10000}
echo "the kernel found" \$(grep -m 1 flags /proc/cpuinfo | grep -o 'avx[^ ]*')
/tests ${FILTER:-exec::forest} --test-threads=1
echo "tests ended with \$?"
sleep 5 # until the serial port has sent all of it
poweroff -f
END
chmod +x "$root/init"
(cd "$root" && find . | cpio --quiet -o -H newc | gzip -1) >"$work/disc/files"

# A disc that boots it, with the first serial port as the console. A kernel that panics ends the emulation with a triple fault.
cp "$kernel" "$work/disc/kernel"
cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$work/disc/"
cat >"$work/disc/isolinux.cfg" <<END
default tests
label tests
kernel /kernel
append initrd=/files console=ttyS0 loglevel=1 mitigations=off panic=-1 reboot=triple
END
xorriso -as mkisofs -quiet -o "$work/disc.iso" -b isolinux.bin -c boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table \
  "$work/disc"

# Protection keys are left out: not every build of Bochs describes their state as Linux expects, which then leaves AVX off.
cat >"$work/bochsrc" <<END
display_library: ${BOCHS_DISPLAY:-term}
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios.bin
cpu: model=${MODEL:-corei7_icelake_u}, ips=50000000, reset_on_triple_fault=0, exclude_features="pku"
memory: guest=1024, host=1024
ata0-master: type=cdrom, path="$work/disc.iso", status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev="$work/serial"
log: "$work/log"
panic: action=fatal
error: action=ignore
info: action=ignore
END
echo continue >"$work/commands" # for builds with a debugger, as Debian's is, which waits for this
debugger=()
case $("$bochs" --help 2>&1 || true) in *"-rc "*) debugger=(-rc "$work/commands") ;; esac
: >"$work/serial"
tail -f "$work/serial" &
follower=$!
trap 'kill $follower' EXIT
# Its display wants a terminal, even though nobody looks at it.
TERM=xterm timeout "${SECONDS_AT_MOST:-7200}" script -qec "$(printf '%q ' "$bochs" -q -f "$work/bochsrc" "${debugger[@]}")" \
  /dev/null </dev/null >"$work/screen" || true
sleep 1
# Without VBMI2 and BITALG the best kernels were not there to be tested.
grep -q '^the kernel found .*avx512_vbmi2.* avx512_bitalg' "$work/serial" || [ -n "${MODEL:-}" ] ||
  { echo "no AVX-512 with VBMI2 and BITALG in the emulator; see $work/log" >&2; exit 1; }
grep -q '^tests ended with 0' "$work/serial"
