"""What a shell offers while a command line is typed, and what that costs."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.shell_completion import ShellComplete, get_completion_class
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from cnncli.cli import cli as group
from cnncli.commands import offered
from cnncli.config.json_schema import config_json_schema
from cnncli.config.overrides import override
from tests.builders import dataset
from tests.test_imports import run as run_program

if TYPE_CHECKING:
    from tests.conftest import Cli

CONFIG = """\
data: {source: {idx: {path: data, classes: [cat, dog]}}}
model:
  layers:
    - Conv2D: {name: cv1, filters: 2, kernel_size: 3}
    - Flatten
    - Dense: {name: out, units: 2, activation: softmax}
"""
OPTIMIZERS = ["RMSprop", "Adam", "AdamW", "SGD"]


def offers(*words: str) -> list[str]:
    """Return what is offered for the last word, behind the others."""
    *before, typed = words
    found = ShellComplete(group, {}, "cnncli", "_CNNCLI_COMPLETE").get_completions(
        before, typed
    )
    return [item.value if item.type == "plain" else item.type for item in found]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["tr"], ["train"]),
        (["train", "--res"], ["--resume"]),
        (["evaluate", "--split", ""], ["test", "validation", "train"]),
        (["evaluate", ""], ["file"]),
        (["evaluate", "runs/x", "--data", ""], ["fashion-mnist", "dir"]),
        (["adopt", "m.h5", "--data", "fa"], ["fashion-mnist", "dir"]),
        (["train", "x.yaml", "--out", "r"], ["dir"]),
        (["evaluate", "runs/x", "--out", ""], ["dir"]),
        (["convolve", "--kernel", "so"], ["sobel-x", "sobel-y"]),
        (["convolve", "--padding", ""], ["same", "valid"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["train", "--set", ""], ["name=", "seed=", "data.", "model.", "training."]),
        (["train", "--set", "tr"], ["training."]),
        (
            ["summary", "--set", "training.s"],
            ["training.schedule=", "training.schedule."],
        ),
        (["train", "--set", "training.ep"], ["training.epochs="]),
        (["train", "--set", "training.epochs="], []),
        (["sweep", "--grid", "training.ep"], ["training.epochs="]),
        (["sweep", "--range", "training.ba"], ["training.batch_size="]),
        (["reproduce", "runs/x", "--set", "se"], ["seed="]),
        (["train", "--mea"], ["--measure"]),
        (["train", "--set", "training.epochs.x"], []),
        (
            ["train", "--set", "training.optimizer="],
            [f"training.optimizer={name}" for name in OPTIMIZERS],
        ),
        (
            ["train", "--set", "training.optimizer."],
            [f"training.optimizer.{name}." for name in OPTIMIZERS],
        ),
        (
            ["plot-model", "-o", "x.png", "--set", "training.schedule=C"],
            ["training.schedule=Constant", "training.schedule=CosineDecay"],
        ),
        (
            ["train", "--set", "training.schedule."],
            [
                f"training.schedule.{name}."
                for name in ("CosineDecay", "StepDecay", "ReduceLROnPlateau")
            ],
        ),
        (
            ["train", "--set", "training.optimizer.Adam.amsgrad="],
            [f"training.optimizer.Adam.amsgrad={word}" for word in ("true", "false")],
        ),
        (
            ["train", "--set", "training.early_stopping="],
            ["training.early_stopping=null"],
        ),
        (
            ["train", "--set", "training.precision=mixed_b"],
            ["training.precision=mixed_bfloat16"],
        ),
        (["train", "--set", "nothing."], []),
        (["train", "--set", "training.optimizer.Lion.x="], []),
    ],
    ids=" ".join,
)
def test_offers(words: list[str], expected: list[str], here: Path) -> None:
    assert offers(*words) == expected


def test_keys_and_values_say_what_they_mean() -> None:
    def meanings(*words: str) -> list[Any]:
        *before, typed = words
        complete = ShellComplete(group, {}, "cnncli", "_CNNCLI_COMPLETE")
        return [item.help for item in complete.get_completions(before, typed)]

    assert meanings("train", "--set", "training.epo") == [
        "passes over the training images"
    ]
    assert meanings("train", "--set", "training.weights=") == [
        "The weights after the last epoch.",
        "The weights after the best epoch.",
    ]


@pytest.mark.parametrize("command", [["train"], ["summary"], ["summary", "--json"]])
def test_layers_to_set_are_those_of_the_config(command: list[str], here: Path) -> None:
    Path("mine.yaml").write_text(CONFIG)

    def settings(typed: str) -> list[str]:
        return offers(*command, "mine.yaml", "--set", typed)

    assert settings("model.") == ["model.layers."]
    assert settings("model.layers.") == [f"model.layers.{n}." for n in range(3)]
    assert settings("model.layers.0.") == ["model.layers.0.Conv2D."]
    assert settings("model.layers.1.") == ["model.layers.1.Flatten."]
    assert settings("model.layers.0.Conv2D.k") == [
        "model.layers.0.Conv2D.kernel_size=",
        "model.layers.0.Conv2D.kernel_initializer=",
    ]
    assert settings("model.layers.2.Dense.activation=softm") == [
        "model.layers.2.Dense.activation=softmax"
    ]


def test_without_a_config_they_are_those_of_the_documented_experiment() -> None:
    assert offers("train", "--set", "model.layers.0.") == ["model.layers.0.Conv2D."]
    assert len(offers("train", "--set", "model.layers.")) == 6


def test_all_that_is_offered_leads_somewhere(here: Path) -> None:
    from cnncli.config.document import read_document

    Path("mine.yaml").write_text(CONFIG)
    document = read_document(Path("mine.yaml"))
    found = [""]
    complete = []
    while found:
        typed = found.pop()
        new = offers("train", "mine.yaml", "--set", typed)
        found += [item for item in new if item.endswith((".", "="))]
        complete += [item for item in new if not item.endswith((".", "="))]
        assert new or typed.endswith("=")
    assert len(complete) > 100
    for setting in complete:
        key = setting.partition("=")[0].split(".")
        # Another source than the config's would be a second one beside it.
        if key[:3] != ["data", "source", "fashion-mnist"]:
            override(document, [setting])


@pytest.mark.parametrize("place", ["run", "run/model.h5"])
def test_layers_and_classes_are_those_of_the_run(run: Path, place: str) -> None:
    model = str(run.parent / place)
    layers = ["small", "flip", "flatten", "dropout", "output"]
    assert offers("feature-maps", model, "--layer", "") == layers
    assert offers("feature-maps", model, "--layer", "fl") == ["flip", "flatten"]
    assert offers("convolve", "--model", model, "--layer", "s") == ["small"]
    assert offers("feature-maps", model, "--grad-cam", "S") == [
        "Sandal",
        "Shirt",
        "Sneaker",
    ]
    assert offers("feature-maps", model, "--index", "3", "--occlusion", "An") == [
        "Ankle boot"
    ]
    assert offers("feature-maps", model, "--layer", "flip", "--l") == ["--layer"]


def broken_config(text: str) -> Callable[[], object]:
    return lambda: Path("bad.yaml").write_text(text)


@pytest.mark.parametrize(
    "make",
    [
        lambda: None,
        lambda: Path("bad.yaml").mkdir(),
        lambda: os.mkfifo("bad.yaml"),
        lambda: Path("bad.yaml").symlink_to("bad.yaml"),
        lambda: Path("bad.yaml").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64)),
        broken_config(""),
        broken_config("model: ["),
        broken_config("model: {layers: 3}"),
        broken_config("model: {layers: [{}, {a: 1, b: 2}]}"),
        broken_config("model: {layers: [Conv3D]}"),
        broken_config("model: &m {layers: *m}"),
        broken_config("a: &a {k: v}\n" + "b: {<<: *a}\n" * 99),
        broken_config("[" * 1000),
    ],
)
def test_what_is_broken_offers_nothing(make: Callable[[], object], here: Path) -> None:
    make()
    assert offers("train", "bad.yaml", "--set", "model.layers.") == []
    assert offers("feature-maps", "bad.yaml", "--layer", "") == []
    assert offers("feature-maps", "bad.yaml", "--grad-cam", "") == []
    assert offers("train", "bad.yaml", "--set", "training.ep") == ["training.epochs="]


def test_a_broken_run_offers_nothing(run: Path) -> None:
    (run / "config.yaml").write_text("model: {layers: [Flatten]}")
    (run / "metrics.json").write_text('{"classes": 3}')
    assert offers("feature-maps", str(run), "--layer", "") == []
    assert offers("feature-maps", str(run), "--grad-cam", "") == []
    assert offers("feature-maps", "--layer", "") == []


def test_names_are_no_more_than_names(run: Path) -> None:
    names = ["a\nplain,b", "\x1b[31m", "$(id)", 'c"d', "e'f", "good one", "*"]
    metrics = {"classes": [{"name": name} for name in names]}
    (run / "metrics.json").write_text(json.dumps(metrics))
    assert offers("feature-maps", str(run), "--grad-cam", "") == names[2:]

    def told(quote: str) -> list[str]:
        line = f"cnncli feature-maps {run} --grad-cam {quote}"
        told = CliRunner().invoke(group, prog_name="cnncli", env=asked("bash", line))
        return told.stdout.split()

    assert told("") == [
        *(r"plain,\$\(id\)", r"plain,c\"d", r"plain,e\'f", "plain,good\\"),
        *("one", r"plain,\*"),
    ]
    for quote in ("'", '"'):
        assert told(quote) == ["plain,good", "one", "plain,*"]


WORDS = st.sampled_from(
    [
        *group.commands,
        *("--set", "--layer", "--grad-cam", "--out", "--json", "--data", "-o", "--"),
        *("training.optimizer=", "model.layers.9.", "model.layers.", "a.b.c", "=", "."),
        *("", "-", "nowhere", "tests", "'", "\\", "é", "\x1b"),
    ]
)


@given(words=st.lists(WORDS, min_size=1, max_size=5))
def test_no_command_line_makes_it_fail(words: list[str]) -> None:
    for shell in ("bash", "zsh", "fish"):
        line = " ".join(["cnncli", *words])
        result = CliRunner().invoke(group, prog_name="cnncli", env=asked(shell, line))
        assert (result.exit_code, result.stderr) == (0, ""), result.exception


def asked(shell: str, line: str) -> dict[str, str]:
    """Return the environment in which a shell asks what to offer for a line."""
    *_, last = line.split(" ")
    return {
        "_CNNCLI_COMPLETE": f"{shell}_complete",
        "COMP_LINE": line,
        "COMP_WORDBREAKS": " \t\n\"'><=;|&(:",
        "COMP_WORDS": line,
        "COMP_CWORD": last if shell == "fish" else str(line.count(" ")),
    }


@pytest.mark.parametrize(
    ("shell", "line", "expected"),
    [
        ("bash", "cnncli ev", ["plain,evaluate"]),
        ("bash", "cnncli evaluate x --split ", ["plain,test", "plain,validation"]),
        ("bash", "cnncli train --set training.ep", ["open,training.epochs="]),
        ("bash", "cnncli train --set training.schedule=Co", ["plain,Constant"]),
        (
            "bash",
            "cnncli train --set 'training.schedule=Co",
            ["plain,training.schedule=Constant"],
        ),
        ("bash", "cnncli feature-maps RUN --grad-cam An", [r"plain,Ankle\ boot"]),
        (
            "bash",
            r"cnncli feature-maps RUN --grad-cam Ankle\ b",
            [r"plain,Ankle\ boot"],
        ),
        ("bash", 'cnncli feature-maps RUN --grad-cam "Ankle b', ["plain,Ankle boot"]),
        ("zsh", "cnncli train --set training.ep", ["open", "training.epochs=", "_"]),
        ("zsh", "cnncli feature-maps RUN --layer sm", ["plain", "small"]),
        (
            "fish",
            "cnncli feature-maps RUN --layer sm",
            ["plain,small\tAveragePooling2D"],
        ),
    ],
)
def test_what_a_shell_is_told(
    shell: str, line: str, expected: list[str], finished: Path
) -> None:
    environment = asked(shell, line.replace("RUN", str(finished)))
    result = CliRunner().invoke(group, prog_name="cnncli", env=environment)
    assert result.stdout.splitlines()[: len(expected)] == expected


def test_every_line_for_zsh_is_in_a_group_of_three(finished: Path) -> None:
    result = CliRunner().invoke(
        group, prog_name="cnncli", env=asked("zsh", "cnncli train --set training.")
    )
    kinds = result.stdout.splitlines()[::3]
    assert set(kinds) == {"open"}
    assert len(kinds) > 10


def test_scripts(cli: Cli) -> None:
    for shell in ("bash", "zsh", "fish"):
        result = cli("completion", shell)
        assert result.stderr == ""
        assert f"_CNNCLI_COMPLETE={shell}_complete" in result.stdout
        kind = get_completion_class(shell)
        assert kind is not None
    assert (
        """\
        if [[ "$type" == "open" ]]; then
            compadd -U -S '' -V unsorted -- "$key"
        elif [[ "$type" == "plain" ]]; then
            if"""
        in cli("completion", "zsh").stdout
    )


def test_another_shell_is_refused(cli: Cli) -> None:
    result = cli("completion", "tcsh", exit_code=2)
    assert result.stderr.splitlines()[-1] == (
        "Error: Invalid value for '{bash|zsh|fish}': 'tcsh' is not one of 'bash', "
        "'zsh', 'fish'."
    )


def test_the_shipped_schema_is_the_one_that_is_made() -> None:
    shipped = json.loads(offered.SCHEMA_FILE.read_text())
    assert shipped == config_json_schema(), "make docs writes it anew"


def test_a_script_that_loses_the_word_breaks_completes_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from click.shell_completion import CompletionItem

    from cnncli.cli import cli as group
    from cnncli.commands.completion import Bash

    monkeypatch.setenv("COMP_LINE", "cnncli train --set seed=")
    monkeypatch.delenv("COMP_WORDBREAKS", raising=False)
    completing = Bash(group, {}, "cnncli", "_CNNCLI_COMPLETE")
    assert completing.format_completion(CompletionItem("seed=1")) == "plain,1"


@pytest.mark.parametrize(
    ("line", "yaml"),
    [
        ("cnncli tr", set()),
        ("cnncli train --set training.optimizer=", set()),
        ("cnncli feature-maps RUN --grad-cam ", set()),
        ("cnncli feature-maps RUN --layer ", {"yaml"}),
        ("cnncli train --set model.layers.", {"yaml"}),
    ],
)
def test_nothing_heavy_is_imported(
    line: str,
    yaml: set[str],
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment = asked("bash", line.replace("RUN", str(finished)))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result, imported = run_program(tmp_path, "unread")
    assert result.returncode == 0
    assert result.stderr == ""
    assert result.stdout.startswith(("plain,", "open,"))
    assert imported == yaml


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash(here: Path) -> None:
    """Type into a real one, as a user does; what was typed is then echoed."""
    program = Path("bin/cnncli")
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cnncli "$@"\n')
    program.chmod(0o755)
    dataset("data")
    Path("mine.yaml").write_text(CONFIG)
    typed = (
        "cnncli tra\tmi\t--set training.sch\t=Cons\t--set model.lay\t0\t\tfilt\t8 "
        "--ou\tda\t"
    )
    environment = {
        **os.environ,
        "PATH": f"{program.parent.absolute()}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "INPUTRC": "/dev/null",
        "TERM": "dumb",
        "PS1": "",
    }
    terminal, other_end = pty.openpty()
    shell = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        stdin=other_end,
        stdout=other_end,
        stderr=other_end,
        env=environment,
        start_new_session=True,
    )
    os.close(other_end)
    os.write(terminal, b'eval "$(cnncli completion bash)"; echo rea""dy\n')
    read_until(terminal, b"ready\r\n")
    os.write(terminal, f"{typed}\x01echo typed: \necho do''ne; exit\n".encode())
    said = read_until(terminal, b"done\r\n").decode()
    os.close(terminal)
    shell.wait()
    (line,) = [line for line in said.splitlines() if line.startswith("typed: ")]
    assert line == (
        "typed: cnncli train mine.yaml --set training.schedule=Constant "
        "--set model.layers.0.Conv2D.filters=8 --out data/"
    )


def read_until(terminal: int, last: bytes) -> bytes:
    """Read from a terminal up to its last words, or to its end."""
    said = b""
    while last not in said:
        try:
            said += os.read(terminal, 4096)
        except OSError:
            break
    return said
