"""``cnncli completion``, and how Bash and Zsh are told what to offer."""

from __future__ import annotations

import os
import re
import shlex
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    ZshComplete,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

_SPECIAL_IN_QUOTES = set("\"'`$\\!")
_COMPLETE = "_CNNCLI_COMPLETE"
"""The variable by which Click is asked for completions."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands, options, files, keys and names.

    \b
    Switch it on with one line in the file that your shell reads when it starts:
      ~/.bashrc                    eval "$(cnncli completion bash)"
      ~/.zshrc, after compinit     eval "$(cnncli completion zsh)"
      ~/.config/fish/config.fish   cnncli completion fish | source
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise LookupError(shell)
    made = kind(context.find_root().command, {}, "cnncli", _COMPLETE)
    click.echo(made.source(), nl=False)


@add_completion_class
class Bash(BashComplete):
    """Bash, which cuts words at ``=`` and ``:`` and takes a value as it is."""

    source_template = """\
%(complete_func)s() {
    local kind value
    COMPREPLY=()
    while IFS=, read -r kind value; do
        case $kind in
            dir) compopt -o plusdirs ;;
            file) compopt -o default ;;
            open) compopt -o nospace; COMPREPLY+=("$value") ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done < <(COMP_LINE=${COMP_LINE:0:$COMP_POINT} COMP_WORDBREAKS=$COMP_WORDBREAKS \
        %(complete_var)s=bash_complete "$1")
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one that is typed, and that one."""
        # The letter makes a word where none is begun yet.
        words = split_arg_string(f"{os.environ['COMP_LINE']}x")
        return words[1:-1], words[-1][:-1]

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Return what Bash puts in place of the part of a word that it sees.

        A name comes from a file, so nothing in it may act as more than a name.
        """
        value = str(item.value)
        if item.type == "plain" and _is_in_quotes(os.environ["COMP_LINE"]):
            if _SPECIAL_IN_QUOTES & set(value):
                return ""
        elif item.type == "plain":
            _, typed = self.get_completion_args()
            # A script between Bash and this program loses the variable.
            breaks = set("=:") & set(os.environ.get("COMP_WORDBREAKS", "=:"))
            seen = max((typed.rfind(mark) + 1 for mark in breaks), default=0)
            value = re.sub(r"([^\w%+,./:=@-])", r"\\\1", value[seen:])
        return f"{'open' if item.open else item.type},{value}"


@add_completion_class
class Zsh(ZshComplete):
    """Zsh, which puts a blank behind a key that waits for its value."""

    source_template = ZshComplete.source_template.replace(
        """\
        if [[ "$type" == "plain" ]]; then
""",
        """\
        if [[ "$type" == "open" ]]; then
            compadd -U -S '' -V unsorted -- "$key"
        elif [[ "$type" == "plain" ]]; then
""",
    )

    def format_completion(self, item: CompletionItem[str]) -> str:
        """Return three lines: how to offer it, the value, what it means."""
        return (
            f"open\n{item.value}\n_" if item.open else super().format_completion(item)
        )


def _is_in_quotes(line: str) -> bool:
    try:
        shlex.split(f"{line}x")
    except ValueError:
        return True
    return False
