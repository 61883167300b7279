#!/usr/bin/env python3
"""Makes testdata/signed.jsonl.gz: events that Synapse's own functions have hashed and signed, in every room version that it knows.

It is run by hand when Synapse knows a new room version, or hashes differently; the tests only read what it wrote:

    python3 -m venv /tmp/synapse && /tmp/synapse/bin/pip install matrix-synapse==1.163.2
    /tmp/synapse/bin/python tests/proof/signed.py 25 7 | gzip -9n > testdata/signed.jsonl.gz

With more of them (`400 1`), and `SIGNED_EVENTS=FILE`, `cargo test --lib event::proof` compares thousands. The first line has the
servers' public keys; each other one an event: `version` of its room, `json` as Synapse stores it, and the `verdict` that its own
functions come to. The same numbers give the same events.
"""

import json
import random
import sys

from nacl.signing import SigningKey
from synapse.api.room_versions import EventFormatVersions, RoomVersion, RoomVersions
from synapse.crypto.event_signing import add_hashes_and_signatures, check_event_content_hash, compute_event_signature
from synapse.events import make_event_from_dict
from synapse.events.utils import prune_event
from synapse.util.json import json_encoder
from unpaddedbase64 import encode_base64

EACH, SEED = int(sys.argv[1]), int(sys.argv[2])
CHANCE = random.Random(SEED)
# those that a server must be told to know, too
VERSIONS = [version for version in (getattr(RoomVersions, name) for name in dir(RoomVersions)) if isinstance(version, RoomVersion)]
TYPES = """m.room.message m.room.member m.room.create m.room.join_rules m.room.power_levels m.room.history_visibility
m.room.aliases m.room.redaction m.room.encrypted org.example.custom""".split()
STATE = {"m.room.create", "m.room.join_rules", "m.room.power_levels", "m.room.history_visibility", "m.room.aliases"}
POWERS = "ban events events_default kick redact state_default users users_default invite notifications".split()
TEXTS = ["a", "é", "\u0000", "\u2028", "😀", '"\\/', "\x7f", "\x1f", "\ufeff", "z\ue000", "\U00010000", "<&>"]
KEYS = ["a", "b", "c", "A", "é", "\U00010000", "\uffff", "m.x", ""]
ODD_DOUBLES = [1e16, 1e15, 123456789012345680.0, 1e22, 1.5e300, 5e-324, 1e-5, 0.0001, -0.0, 1e100, 2.5e-7, 9007199254740993.0]


def signing_key(version: str) -> SigningKey:
    key = SigningKey(bytes(CHANCE.getrandbits(8) for _ in range(32)))
    key.alg, key.version = "ed25519", version
    return key


SERVERS = {"here.test": signing_key("a_here"), "there.test": signing_key("a_there"), "there.test:8448": signing_key("auto")}


def scalar(strict: bool):
    values = [
        lambda: CHANCE.choice([True, False, None]),
        lambda: CHANCE.randrange(-(2**53) + 1, 2**53),
        lambda: CHANCE.randrange(100),
        lambda: "",
        lambda: "".join(CHANCE.choice(TEXTS) for _ in range(CHANCE.randrange(6))),
        lambda: 0,
        lambda: -5,
        # what only rooms of versions 1 to 5 take
        lambda: CHANCE.random(),
        lambda: 1.0,
        lambda: CHANCE.choice(ODD_DOUBLES),
        lambda: CHANCE.randrange(-(2**70), 2**70),
        lambda: 10 ** CHANCE.randrange(25),
        lambda: CHANCE.uniform(-1e20, 1e20),
    ]
    return CHANCE.choice(values[:7] if strict else values)()


def value(strict: bool, depth: int = 3):
    kind = CHANCE.randrange(6) if depth else 5
    if kind == 0:
        return {CHANCE.choice(KEYS) + str(CHANCE.randrange(3)): value(strict, depth - 1) for _ in range(CHANCE.randrange(4))}
    if kind == 1:
        return [value(strict, depth - 1) for _ in range(CHANCE.randrange(4))]
    return scalar(strict)


def content(kind: str, strict: bool, user: str) -> dict:
    if CHANCE.random() < 0.05:
        return {}
    of_kind = {
        "m.room.create": lambda: {"creator": user, "room_version": "x", "m.federate": True, "predecessor": value(strict)},
        "m.room.join_rules": lambda: {"join_rule": "restricted", "allow": value(strict), "more": 1},
        "m.room.power_levels": lambda: {power: value(strict, 1) for power in CHANCE.sample(POWERS, CHANCE.randrange(len(POWERS)))},
        "m.room.history_visibility": lambda: {"history_visibility": value(strict), "more": 1},
        "m.room.aliases": lambda: {"aliases": ["#a:here.test"], "more": 1},
        "m.room.redaction": lambda: {"redacts": "$x", "reason": value(strict)},
    }
    said = of_kind.get(kind, lambda: {"body": "".join(CHANCE.choice(TEXTS) for _ in range(3)), "msgtype": "m.text", "more": value(strict)})()
    if kind == "m.room.member":
        said = {"membership": CHANCE.choice(["join", "leave", "invite", "ban", "knock"]), "displayname": value(strict)}
        if CHANCE.random() < 0.3:
            said["join_authorised_via_users_server"] = "@x:" + CHANCE.choice(list(SERVERS))
        if CHANCE.random() < 0.3:
            signed = {"signed": CHANCE.choice([value(strict), {"mxid": "@a:here.test", "token": "t", "signatures": {}}]), "display_name": "x"}
            said["third_party_invite"] = CHANCE.choice([signed, {"display_name": "x"}, "no object", 7, None, [], {}])
    if CHANCE.random() < 0.2:
        said["m.relates_to"] = CHANCE.choice([{"rel_type": "m.thread", "event_id": "$y", "key": 1}, {"key": 1}, {}, "x", 5, {"event_id": "$y"}])
    return said


def signed_event(version: RoomVersion) -> dict:
    strict, kind, server = version.strict_canonicaljson, CHANCE.choice(TYPES), CHANCE.choice(list(SERVERS))
    room = version.identifier.replace(".", "_")
    user = f"@u{CHANCE.randrange(3)}:{server}"
    names_servers = version.event_format == EventFormatVersions.ROOM_V1_V2
    makes_room = version.msc4291_room_ids_as_hashes and kind == "m.room.create"
    pdu = {
        "type": kind, "sender": user, "content": content(kind, strict, user), "origin": server, "depth": CHANCE.randrange(1, 99),
        "origin_server_ts": 1700000000000 + CHANCE.randrange(10**9), "prev_events": ["$p"], "auth_events": ["$q"],
        "room_id": "!" + room.ljust(43, "r") if version.msc4291_room_ids_as_hashes else f"!{room}:here.test",
    }
    if names_servers:
        pdu["event_id"] = f"${CHANCE.getrandbits(60)}:{CHANCE.choice([server, server, *SERVERS])}"
        pdu["prev_events"], pdu["auth_events"] = [["$p:x", {"sha256": "aaaa"}]], []
    if version.msc4242_state_dags:
        del pdu["auth_events"]
        pdu["prev_state_events"] = ["$s"]
    if kind == "m.room.member" or kind in STATE:
        pdu["state_key"] = user if kind == "m.room.member" else ""
    if makes_room:
        del pdu["room_id"]
    if kind == "m.room.redaction" and not version.updated_redaction_rules:
        pdu["redacts"] = "$x"
    for key, part in [("prev_state", 0.2), ("custom", 0.2), ("redacts", 0.1), ("membership", 0.2)]:
        if CHANCE.random() < part:
            pdu[key] = value(strict)
    if CHANCE.random() < 0.5:
        pdu["unsigned"] = {"age_ts": 5, "x": value(strict)}
    if CHANCE.random() < 0.05:
        pdu["hashes"] = {"sha1": "x"}
    add_hashes_and_signatures(version, pdu, server, SERVERS[server])
    others, said = set(), pdu["content"]
    if names_servers:
        others.add(pdu["event_id"].split(":", 1)[1])
    if version.restricted_join_rule and said.get("membership") == "join" and "join_authorised_via_users_server" in said:
        others.add(said["join_authorised_via_users_server"].split(":", 1)[1])
    for other in sorted(others - {server}):
        pdu["signatures"].update(compute_event_signature(version, pdu, other, SERVERS[other]))
    event, verdict = make_event_from_dict(pdu, version, {}), "authentic"
    assert check_event_content_hash(event)
    if CHANCE.random() < 0.2:
        pruned = prune_event(event)
        assert pruned.event_id == event.event_id
        event, verdict = pruned, "authentic" if check_event_content_hash(pruned) else "redacted"
    return {
        "version": version.identifier, "event_id": event.event_id, "room_id": event.room_id, "type": kind, "verdict": verdict,
        "json": json_encoder.encode(event.get_dict()),
    }


print(json.dumps({"keys": {server: {f"ed25519:{key.version}": encode_base64(bytes(key.verify_key))} for server, key in SERVERS.items()}}))
for version in VERSIONS:
    for _ in range(EACH):
        print(json.dumps(signed_event(version)))
