# shellcheck shell=sh disable=SC2034
# Sourced by data/demo.sh and tests/run.sh: installs what is missing on Debian and Ubuntu, and builds.
# Elsewhere nothing is installed, and CMake names what it does not find.

BUILD_PACKAGES="gcc libc6-dev make cmake libdnnl-dev libcjson-dev libstb-dev zlib1g-dev libjs-chart.js libmicrohttpd-dev"
DATA_PACKAGES="dataset-fashion-mnist"
TEST_PACKAGES="g++ clang libomp-dev python3-venv pkg-config dpkg-dev file"
FASHION_MNIST=/usr/share/datasets/fashion-mnist

say() { printf '%s\n' "== $*"; }

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Whether $1 is there: as a command for the tools of the build, as a package for the rest.
has_package() {
  case $1 in
    gcc) command -v cc >/dev/null ;;
    g++) command -v c++ >/dev/null ;;
    make | cmake | clang | pkg-config | file) command -v "$1" >/dev/null ;;
    chromium) command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ;;
    python3-venv) python3 -c 'import ensurepip, venv' 2>/dev/null ;;
    *) dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed ;;
  esac
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "missing packages, and neither root nor sudo to install them with; as root: apt-get install $missing"
  fi
}

# install_packages NAME...: installs those that are missing.
install_packages() {
  command -v apt-get >/dev/null || { say "no apt-get here: expecting $* or their like to be installed"; return 0; }
  missing=
  for package in "$@"; do
    has_package "$package" || missing="$missing $package"
  done
  missing=${missing# }
  [ -n "$missing" ] || return 0
  say "installing: $missing"
  as_root apt-get -q -o Acquire::Retries=3 update || say "apt-get update failed; trying with the package lists there are"
  # shellcheck disable=SC2086 # a list of names
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y -o Acquire::Retries=3 install --no-install-recommends $missing ||
    die "apt-get could not install: $missing (on Ubuntu they are in 'universe': add-apt-repository universe)"
}

# build FOLDER TARGETS CMAKE-OPTION...: configures the repository into FOLDER and builds the targets, a list of names.
build() {
  folder=$1
  targets=$2
  shift 2
  # shellcheck disable=SC2086 # a list of names
  cmake -S "$ROOT" -B "$folder" "$@" && cmake --build "$folder" -j "$(nproc)" --target $targets
}
