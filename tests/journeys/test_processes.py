"""What the processes of a running hub listen on."""

from __future__ import annotations

import psutil

from jalons.embedded.stack import Stack
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
