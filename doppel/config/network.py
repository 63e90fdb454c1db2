"""Which addresses and UDP ports media takes."""

from __future__ import annotations

import ipaddress

from pydantic import BaseModel, Field, field_validator

from doppel.config.about import about
from doppel.config.words import Words, split


class Network(BaseModel):
    """Addresses and ports that peers are offered."""

    ice_address: Words = Field(
        default=(),
        max_length=16,
        description="IP addresses to bind for media and to offer to peers as host candidates. If not set, every interface's.",
        json_schema_extra=about(None, "right on a machine with one network; name the address where there are several, or a VPN"),
    )
    udp_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="UDP port for the media of all peers; 0 takes a free one. If not set, each peer has a port of its own.",
        json_schema_extra=about(None, "behind a NAT or a firewall and in a container, set it: one port to open for everybody"),
    )
    udp_ports: str | None = Field(
        default=None,
        description="UDP ports for the media of peers, the first and the last, such as `50000-50100`. "
        "Each peer takes one; one for whom none is left is refused.",
        json_schema_extra=about(None, "any free port; `udp_port` asks less of a firewall"),
    )
    announce_address: Words = Field(
        default=(),
        max_length=4,
        description="IP addresses that peers are told instead of this machine's own, one for IPv4, one for IPv6: "
        "those of a NAT or a container's host that leads the same ports here.",
        json_schema_extra=about(None, "this machine's own are right wherever peers can reach them"),
    )

    _split_addresses = field_validator("ice_address", "announce_address", mode="before")(split)

    @field_validator("udp_ports")
    @classmethod
    def _is_range(cls, value: str | None) -> str | None:
        first, dash, last = (value or "1-1").partition("-")
        if not (dash and first.isdecimal() and last.isdecimal() and 0 < int(first) <= int(last) < 65_536):
            raise ValueError("write the first and the last port, such as 50000-50100")
        return value

    @field_validator("ice_address", "announce_address")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for word in value:
            try:
                address = ipaddress.ip_address(word)
            except ValueError:
                raise ValueError(f"{word!r} is no IP address; write one such as 192.0.2.7, not a host name") from None
            if address.is_unspecified:
                raise ValueError(f"no peer can reach {word}; leave it out to offer every interface's address")
        return value
