# Sourced by ./run and ./test, in the root of the clone. POSIX sh.
#
# The lock files hold exact versions with hashes. After a change of dependencies in pyproject.toml make them anew, in
# the root of the clone:
#   uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-annotate \
#       --no-header -o requirements/test.lock
#   uv pip compile pyproject.toml -c requirements/test.lock --universal --python-version 3.11 --generate-hashes \
#       --no-annotate --no-header -o requirements/run.lock

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${WB_PYTHON:+"$WB_PYTHON"} python3.13 python3.12 python3.11 python3.14 python3 python; do
        if is_new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo "Python 3.11 or newer is needed, and was not found. Install it, or install uv, which brings its own." >&2
    echo "If it is in an unusual place, set WB_PYTHON to its path." >&2
    exit 1
}

make_venv() {
    rm -rf .venv
    if command -v uv >/dev/null 2>&1; then
        uv venv --quiet --python '>=3.11,<3.15' .venv
        return
    fi
    python=$(find_python)
    if "$python" -c 'import ensurepip' >/dev/null 2>&1; then
        "$python" -m venv .venv
    elif "$python" -m pip --version >/dev/null 2>&1; then
        "$python" -m venv --without-pip .venv
    else
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        echo "$python can make no virtual environment: its part ensurepip is missing." >&2
        echo "On Debian or Ubuntu: apt-get install python$version-venv. Elsewhere install uv, or Python with pip." >&2
        exit 1
    fi
}

install_locked() {
    if command -v uv >/dev/null 2>&1; then
        uv pip install --quiet --python .venv/bin/python --require-hashes --only-binary :all: -r "$1"
        return
    fi
    pip_options="--quiet --disable-pip-version-check --no-input --progress-bar off --require-hashes --only-binary :all:"
    # shellcheck disable=SC2086 # the options are words of our own
    if .venv/bin/python -m pip --version >/dev/null 2>&1; then
        .venv/bin/python -m pip install $pip_options -r "$1"
    else
        "$(find_python)" -m pip --python .venv/bin/python install $pip_options -r "$1"
    fi
}

is_installed() {
    cmp -s "requirements/$1.lock" ".venv/installed-$1.lock"
}

# prepare_venv NAME: .venv holds what requirements/NAME.lock says. A copy of the lock in .venv says what is installed,
# so nothing is installed, and no network is needed, until the lock changes. The lock of the tests contains the other.
prepare_venv() {
    if ! is_new_enough .venv/bin/python; then
        echo "Making .venv" >&2
        make_venv
    fi
    if is_installed "$1" || is_installed test; then
        return
    fi
    echo "Installing the packages of requirements/$1.lock (once, and again when it changes)" >&2
    install_locked "requirements/$1.lock" || {
        echo "The packages could not be installed. What went wrong is said above; ./$1 takes it up where it ended." >&2
        exit 1
    }
    # What this lock installs may have replaced what an earlier lock had installed.
    rm -f .venv/installed-*.lock
    cp "requirements/$1.lock" ".venv/installed-$1.lock"
}
