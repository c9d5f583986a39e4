"""Questions in the terminal: arrow keys, Enter, the left arrow to go back, Ctrl-C to leave."""

from __future__ import annotations

from collections.abc import Sequence

from hybridllm.errors import RequestError
from hybridllm.planning.questions import Choice, Question

_BACK = "back"


def ask(asked: Sequence[Question]) -> dict[int, Choice]:
    """What was chosen for each question, by its number from 0. A question that is come back to has
    its former answer marked. Raises RequestError where questionary is not installed, SystemExit
    when the person leaves."""
    chosen: dict[int, Choice] = {}
    number = 0
    try:
        while number < len(asked):
            picked = _one(asked[number], number, len(asked), chosen.get(number))
            if picked is None:
                number -= 1
            else:
                chosen[number] = picked
                number += 1
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    return chosen


def _one(question: Question, number: int, of: int, former: Choice | None) -> Choice | None:
    """The choice; None: back."""
    try:
        import questionary
        from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent, merge_key_bindings
    except ImportError:
        raise RequestError(
            "The questions need questionary.",
            remedy="Install it with: pip install 'hybridllm[terminal]'; or answer by options.",
        ) from None
    back = " left to go back," if number else ""
    choices = [questionary.Choice(c.label, value=i) for i, c in enumerate(question.choices)]
    shown = questionary.select(
        f"{number + 1}/{of} {question.text}",
        choices=choices,
        default=None if former is None else choices[question.choices.index(former)],
        instruction=f"(arrows,{back} Enter)",
    )
    if number:
        keys = KeyBindings()

        @keys.add("left", eager=True)
        def _back(event: KeyPressEvent) -> None:
            event.app.exit(result=_BACK)

        own = shown.application.key_bindings
        shown.application.key_bindings = merge_key_bindings([own, keys] if own else [keys])
    picked = shown.unsafe_ask()
    return None if picked == _BACK else question.choices[picked]
