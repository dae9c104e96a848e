"""What the processes of a running hub listen on, and which of them give way."""

from __future__ import annotations

from pathlib import Path

import psutil

from jalons.embedded.stack import SERVICES, Stack
from tests.support.network import Network


def test_only_declared_ports_are_open(stack: Stack, network: Network) -> None:
    declared = {*stack.ports.values(), *(stack.settings.port(name) for name in ("referrals", "observation"))}
    declared.add(stack.settings.port("notifications"))
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for pid in [stack.pid_of(name) for name, child in stack.children.items() if child.alive]
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert {port for _, port in listening} == declared
    assert 6066 not in declared, "the port Faust's command line would open"
    assert {ip.removeprefix("::ffff:") for ip, _ in listening} == {"127.0.0.1"}


def test_what_nobody_waits_for_gives_way_to_the_rest(stack: Stack) -> None:
    """As a process, and as a session where Linux weighs those against each other."""
    niceness = {name: psutil.Process(stack.pid_of(name)).nice() for name in (*SERVICES, "mail")}
    assert niceness == {"referrals": 0, "observation": 0, "notifications": 19, "mail": 19}
    groups = [Path(f"/proc/{stack.pid_of(name)}/autogroup") for name in niceness]
    if groups[0].exists():
        assert [int(group.read_text().split()[-1]) for group in groups] == list(niceness.values())
