"""Memory that is to be had, as the system and its containers say."""

from __future__ import annotations

import pickle
from math import inf
from pathlib import Path

import pytest

from interlace.errors import TooLargeError
from interlace.linalg import memory


@pytest.fixture
def machine(tmp_path, monkeypatch) -> Path:
    """A machine with 8 GB of which 5 are available, no containers."""
    (tmp_path / "meminfo").write_text("MemTotal: 8000000 kB\nMemAvailable: 5000000 kB\n")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "GROUPS", ((tmp_path / "max", tmp_path / "current"),))
    return tmp_path


def test_that_of_the_machine(machine) -> None:
    assert memory.available_memory() == 5000000 * 1024


def test_that_of_a_container(machine) -> None:
    (machine / "current").write_text("1500\n")
    (machine / "memory.stat").write_text("anon 900\ninactive_file 400\nactive_file 100\n")
    for limit, left in (("2000\n", 900.0), ("max\n", 5000000 * 1024)):
        (machine / "max").write_text(limit)
        assert memory.available_memory() == left


def test_where_nothing_is_said(machine, monkeypatch) -> None:
    (machine / "meminfo").unlink()
    assert memory.available_memory() > 1e8
    monkeypatch.delattr("os.sysconf", raising=False)
    assert memory.available_memory() == inf


def test_here_there_is_some() -> None:
    assert 1e7 < memory.available_memory() < 1e15


def test_too_much_is_refused_with_both_numbers(machine) -> None:
    memory.check_memory(5e9, "work", "do less")
    with pytest.raises(TooLargeError, match="^work needs about 6 GB of memory and 5.12 GB") as e:
        memory.check_memory(6e9, "work", "do less")
    assert isinstance(e.value, MemoryError)
    assert str(pickle.loads(pickle.dumps(e.value))) == str(e.value)
