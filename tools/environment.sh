#!/bin/sh
# Makes a virtual environment that holds fastgrad (editable) with some of its extras, or only what a file of requirements
# asks for, or leaves an up-to-date one alone.
#
#   tools/environment.sh FOLDER EXTRAS        e.g. tools/environment.sh .venv examples,test
#   tools/environment.sh FOLDER FILE.txt      e.g. tools/environment.sh .venv-peers benchmarks/peers/requirements.txt
#   tools/environment.sh FOLDER FILE.txt EARLY.txt
#                        what EARLY.txt asks for is tried before, without dependencies, and shortly: its place may not answer
#
# PYTHON=…         the interpreter to use; without it the first that runs of Python 3.13, 3.12, 3.11, 3.14, python3 and python
# PYTHON_BELOW=3.x the first Python version that is too new for these extras
#
# fastgrad is measured on Python 3.13, the newest that is tested. Of each version the command on the path is tried first, then
# what pyenv has installed: pyenv's commands run the chosen versions only. An environment that runs keeps its Python, since
# a call with PYTHON= may have made it: `make test PYTHON=python3.11`, and then `make lint`. PYTHON=… or its removal changes it.
set -eu
unset CDPATH
cd "$(dirname "$0")/.."
folder=$1
extras=$2
early=${3-}
below=${PYTHON_BELOW:-3.15}
versions='3.13 3.12 3.11 3.14'
log=

say() { printf '%s\n' "$@"; }
fail() {
    say "$@" >&2
    exit 1
}

# A command that merely exists is not enough: pyenv's shims do, and then say that there is no such version.
usable() {
    "$1" - "$below" <<'CHECK' >/dev/null 2>&1
import sys
below = tuple(map(int, sys.argv[1].split(".")))
fits = (3, 11) <= sys.version_info[:2] < below and sys.implementation.name == "cpython" and sys.maxsize > 2**32
sys.exit(not fits)
CHECK
}

works() { usable "$folder/bin/python" && "$folder/bin/python" -c 'import pip' >/dev/null 2>&1; }

version() { "$1" -c 'import platform; print(platform.python_version())' 2>/dev/null; }

each_candidate() {
    if [ -n "${PYTHON-}" ]; then
        say "$PYTHON"
    else
        for number in $versions; do
            say "python$number"
            for candidate in "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/$number".*/bin/python; do say "$candidate"; done
        done
        say python3 python
    fi
}

try() { "$@" >"$log" 2>&1 && works; }

# Every Python that runs is tried with venv, then every one with virtualenv, then uv, which can bring a Python too.
create() {
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    pythons=$(each_candidate | while read -r candidate; do if usable "$candidate"; then say "$candidate"; fi; done)
    first=$(say "$pythons" | head -n 1)
    export UV_SYSTEM_CERTS=1 UV_NATIVE_TLS=1 # trust what pip trusts; the second is the first's older name
    uv=$(command -v uv || true)
    [ -n "$uv" ] || [ ! -x "${HOME:-}/.local/bin/uv" ] || uv=$HOME/.local/bin/uv
    if [ -z "$first" ]; then
        [ -z "${PYTHON-}" ] || fail "PYTHON=$PYTHON does not run, or is not a 64-bit CPython from 3.11 up to below $below"
        if [ -n "$uv" ]; then
            for wanted in 3.13 ">=3.11,<$below"; do
                try "$uv" venv --quiet --clear --seed --python "$wanted" "$folder" && return
            done
            cat "$log" >&2
        fi
        fail "fastgrad needs a Python from 3.11 up to below $below, and none is here. This line installs uv, which brings one:" \
            "  curl -LsSf https://astral.sh/uv/install.sh | sh"
    fi
    old_ifs=$IFS
    IFS='
'
    for python in $pythons; do try "$python" -m venv --clear "$folder" && return; done
    for python in $pythons; do try "$python" -m virtualenv --clear "$folder" && return; done
    IFS=$old_ifs
    if command -v virtualenv >/dev/null; then try virtualenv --clear --python "$first" "$folder" && return; fi
    if [ -n "$uv" ]; then try "$uv" venv --clear --seed --python "$first" "$folder" && return; fi
    cat "$log" >&2
    if command -v apt-get >/dev/null; then
        package=python$("$first" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv
        if [ "$(version /usr/bin/python3)" = "$(version "$first")" ]; then package=python3-venv; fi
        line="apt-get install $package"
        if [ "$(id -u)" != 0 ]; then line="sudo $line"; fi
    else
        line="$first -m pip install --user virtualenv"
    fi
    fail "$first can make no virtual environment: it lacks venv, and there is neither virtualenv nor uv." \
        "This line installs what is missing:" "  $line"
}

# Stamps, one for each extra, tell what the environment was made from, so that a moved checkout or a new pyproject.toml installs again.
case $extras in
*.txt)
    stamps=$folder/requirements.stamp
    source=$extras
    ;;
*)
    stamps=$(say "$extras" | tr ',' '\n' | while read -r extra; do say "$folder/fastgrad-$extra.stamp"; done)
    source=pyproject.toml
    ;;
esac
made_from() { cksum "$source" ${early:+"$early"} && pwd && version "$folder/bin/python"; }
is_made() {
    made=$(made_from)
    say "$stamps" | while read -r stamp; do [ "$(cat "$stamp" 2>/dev/null)" = "$made" ] || return 1; done
}

if [ -e "$folder" ]; then
    [ -e "$folder/pyvenv.cfg" ] || fail "$folder is in the way: it exists and is no virtual environment"
    if ! works || { [ -n "${PYTHON-}" ] && [ "$(version "$PYTHON")" != "$(version "$folder/bin/python")" ]; }; then
        say "making $folder again: its Python does not run, or is another than the one asked for"
        rm -rf "$folder"
    fi
fi
if [ ! -e "$folder" ]; then
    create || exit 1
    say "made $folder with Python $(version "$folder/bin/python")"
fi
if ! is_made; then
    if [ "$source" = "$extras" ]; then what="what $source asks for"; else what="fastgrad[$extras]"; fi
    say "installing $what into $folder (once; it takes a minute or two)"
    # PIP_USER and its kin, from the surroundings or a pip.conf, would install beside the environment.
    unset PIP_TARGET PIP_PREFIX PIP_ROOT
    export PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_DISABLE_PIP_VERSION_CHECK=1
    "$folder/bin/python" -m pip install --quiet 'pip>=22.3' # older ones lack what pyproject.toml asks for
    if [ "$source" = "$extras" ]; then
        if [ -n "$early" ]; then
            "$folder/bin/python" -m pip --timeout 10 --retries 1 install --quiet --no-deps --requirement "$early" 2>/dev/null ||
                say "what $early asks for is not to be had where it says: it comes from the package index"
        fi
        "$folder/bin/python" -m pip install --quiet --requirement "$source"
    else
        # A build without kernels needs none of the package's requirements.
        FASTGRAD_KERNELS=none "$folder/bin/python" -m pip install --quiet --editable ".[$extras]"
        # Nothing else compiles an editable install where PYTHONDONTWRITEBYTECODE is set, and each start would do it again.
        "$folder/bin/python" -m compileall -q src
    fi
    made=$(made_from)
    say "$stamps" | while read -r stamp; do say "$made" >"$stamp"; done
fi
