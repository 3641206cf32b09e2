"""The desk: one model for all visitors."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from hf_mri.page.batcher import BusyError, Desk


def make_scan(name: str, slices: int = 1) -> SimpleNamespace:
    return SimpleNamespace(source=name, slices=np.zeros((slices, 4, 4, 1)))


class Reader:
    """Answers with the scan's name; waits for `go` before each batch; refuses scans called `bad`."""

    def __init__(self):
        self.go, self.started, self.batches = threading.Semaphore(0), threading.Semaphore(0), []

    def batch(self, scans, errors):
        scans = list(scans)
        self.batches.append([scan.source for scan in scans])
        self.started.release()
        self.go.acquire()
        for scan in scans:
            if scan.source == "crash":
                raise RuntimeError("out of memory")
            if scan.source == "mistake":
                raise KeyError("tumor")
            yield ValueError("bad scan") if scan.source == "bad" else scan.source


def ask(desk: Desk, *scans: SimpleNamespace) -> tuple[list[threading.Thread], dict]:
    answers = {}

    def wait(scan):
        try:
            answers[scan.source] = desk.read(scan)
        except (ValueError, RuntimeError) as error:
            answers[scan.source] = error

    threads = [threading.Thread(target=wait, args=(scan,)) for scan in scans]
    for thread in threads:
        thread.start()
    return threads, answers


def test_who_waits_is_read_in_one_batch_and_gets_his_own_answer():
    reader = Reader()
    desk = Desk(reader)
    first, answers_first = ask(desk, make_scan("first"))
    reader.started.acquire()
    others, answers = ask(desk, make_scan("b"), make_scan("bad"), make_scan("c"))
    while desk._waiting.qsize() < 3:
        pass
    reader.go.release(2)
    for thread in first + others:
        thread.join(10)
    assert answers_first == {"first": "first"}
    assert sorted(reader.batches[1]) == ["b", "bad", "c"]
    assert answers["b"] == "b"
    assert answers["c"] == "c"
    assert str(answers["bad"]) == "bad scan"


def test_short_scans_come_first_among_so_many_slices():
    reader = Reader()
    desk = Desk(reader, most_slices=10)
    first, _ = ask(desk, make_scan("first"))
    reader.started.acquire()
    threads = []
    for scan in (make_scan("eight", 8), make_scan("one"), make_scan("five", 5)):
        waiting = desk._waiting.qsize()
        threads += ask(desk, scan)[0]
        while desk._waiting.qsize() == waiting:
            pass
    reader.go.release(3)
    for thread in first + threads:
        thread.join(10)
    assert reader.batches[1:] == [["one", "eight", "five"]]


class PatientReader(Reader):
    """Takes one scan after another, each when it may `go` on."""

    def batch(self, scans, errors):
        self.batches.append([])
        for scan in scans:
            self.batches[-1].append(scan.source)
            self.started.release()
            self.go.acquire()
            yield scan.source


def test_who_comes_while_the_model_runs_follows_without_a_pause():
    reader = PatientReader()
    desk = Desk(reader)
    first, _ = ask(desk, make_scan("first"))
    reader.started.acquire()
    second, answers = ask(desk, make_scan("second"))
    while not desk._waiting.qsize():
        pass
    reader.go.release(2)
    for thread in first + second:
        thread.join(10)
    assert reader.batches == [["first", "second"]]
    assert answers == {"second": "second"}


def test_a_job_gets_the_model_between_two_batches():
    reader = PatientReader()
    reader.look_further = lambda reading, gate: reader.batches.append("job")
    desk = Desk(reader)
    first, _ = ask(desk, make_scan("first"))
    reader.started.acquire()
    job = threading.Thread(target=desk.look_further, args=(SimpleNamespace(unseen=lambda gate: [0]), 0.1))
    job.start()
    while desk._waiting.qsize() < 1:
        pass
    last, _ = ask(desk, make_scan("last"))
    while desk._waiting.qsize() < 2:
        pass
    reader.go.release(2)
    for thread in [*first, job, *last]:
        thread.join(10)
    assert reader.batches == [["first"], "job", ["last"]]


def test_a_full_desk_and_a_slow_model_say_so():
    reader = Reader()
    desk = Desk(reader, most_waiting=1, time_limit=0.5)
    ask(desk, make_scan("first"))
    reader.started.acquire()
    ask(desk, make_scan("second"))
    while not desk._waiting.full():
        pass
    with pytest.raises(BusyError, match="try again"):
        desk.read(make_scan("third"))
    reader.go.release(2)
    slow = Desk(Reader(), time_limit=0.3)
    with pytest.raises(BusyError, match=r"took longer"):
        slow.read(make_scan("slow"))


def test_a_lower_gate_asks_the_model_only_for_what_it_has_not_seen():
    calls = []
    reading = SimpleNamespace(unseen=lambda gate: [0, 1] if gate < 0.5 else [], at=lambda gate_threshold: "at once")
    reader = SimpleNamespace(look_further=lambda reading, gate: calls.append(gate) or "looked")
    desk = Desk(reader)
    assert desk.look_further(reading, 0.9) == "at once"
    assert not calls
    assert desk.look_further(reading, 0.1) == "looked"
    assert calls == [0.1]


@pytest.mark.parametrize("kind", ["crash", "mistake"])
def test_the_desk_outlives_a_crash_of_the_model(kind):
    reader = Reader()
    desk = Desk(reader)
    reader.go.release(2)
    with pytest.raises(RuntimeError, match="failed on this scan"):
        desk.read(make_scan(kind))
    assert desk.read(make_scan("next")) == "next"
