"""What is wrong with a set of settings, in words for an admin."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right.

    Attributes:
        key: The setting, with dots (``homeserver.url``), or where in the file the fault is.
        wrong: What is wrong with it.
        write: What to write instead.
        source: The environment variable that the value came from; None when it came from the file.
    """

    key: str
    wrong: str
    write: str
    source: str | None = None

    def __str__(self) -> str:
        return f"{self.key}: {self.wrong}. Write: {self.write}"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that is allowed, but may not be what the admin means.

    Attributes:
        key: The setting or the section, with dots.
        fact: What is so, as a sentence.
        advice: What to do if it is not meant so.
    """

    key: str
    fact: str
    advice: str


class ConfigProblems(Exception):
    """The settings cannot be used.

    Attributes:
        problems: Every problem that was found, in the order of the sample.
    """

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class Wrong(ValueError):
    """A value that cannot be used.

    Attributes:
        wrong: What is wrong with it, as the end of a sentence that begins with the setting's name.
        write: What to write instead.
    """

    def __init__(self, wrong: str, write: str) -> None:
        super().__init__(wrong)
        self.wrong = wrong
        self.write = write
