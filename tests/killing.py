"""A launcher and everything that it started, ended as a power cut would."""

import subprocess

import psutil


def kill_all(process: subprocess.Popen) -> None:
    """Kill a process and its descendants, which may have sessions of their own; wait until they are gone."""
    launcher = psutil.Process(process.pid)
    family = [launcher, *launcher.children(recursive=True)]
    for member in family:
        member.kill()
    psutil.wait_procs(family, timeout=30)
    process.communicate()
