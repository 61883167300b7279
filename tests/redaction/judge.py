#!/usr/bin/env python3
"""Makes testdata/redaction.jsonl: events of many types, and what Synapse's own pruning leaves of each in each room version.

It is run by hand when Synapse changes its rules or knows a new room version; the tests only read what it wrote:

    python3 -m venv /tmp/synapse && /tmp/synapse/bin/pip install matrix-synapse==1.163.2
    /tmp/synapse/bin/python tests/redaction/judge.py > testdata/redaction.jsonl

A line is an object: `event`, the PDU, and `left`, pairs of the room versions that agree and what they leave. Events of
which `float` is true hold numbers that only versions 1 to 5 allow, and are judged by those alone. `unsigned` is left out:
the dump has its own. The events are always the same ones.
"""

import json
import random
import sys

from synapse.api.room_versions import RoomVersion, RoomVersions
from synapse.events import make_event_from_dict
from synapse.events.utils import prune_event

EACH = 6
# those that a server must be told to know, too
VERSIONS = [version for version in (getattr(RoomVersions, name) for name in dir(RoomVersions)) if isinstance(version, RoomVersion)]
TYPES = """m.room.create m.room.member m.room.power_levels m.room.join_rules m.room.history_visibility m.room.redaction
m.room.aliases m.room.canonical_alias m.room.name m.room.topic m.room.avatar m.room.pinned_events m.room.encryption
m.room.encrypted m.room.message m.room.guest_access m.room.server_acl m.room.third_party_invite m.room.tombstone
m.room.message.feedback m.room.bot.options m.reaction m.sticker m.poll.start m.poll.response m.poll.end m.call.invite
m.space.child m.space.parent m.widget m.beacon m.beacon_info m.policy.rule.user m.message org.example.custom
M.ROOM.MEMBER""".split()
# what any rule names, with values of the right type
CONTENT = {
    "membership": ["join", "leave", "ban"], "displayname": ["Ann"], "reason": ["why"], "creator": ["@a:x"],
    "join_authorised_via_users_server": ["@a:x"], "room_version": ["10"], "m.federate": [True], "predecessor": [{"room_id": "!o:x"}],
    "third_party_invite": [{"signed": {"mxid": "@a:x", "token": "t"}, "display_name": "a"}, {"display_name": "a"}, {}],
    "join_rule": ["invite", "restricted"], "allow": [[{"type": "m.room_membership", "room_id": "!s:x"}], ["*"]],
    "allow_ip_literals": [False], "deny": [["evil"]], "history_visibility": ["shared"], "ban": [50], "kick": [50],
    "redact": [50], "invite": [0], "events": [{"m.room.name": 50}], "events_default": [0], "state_default": [50],
    "users": [{"@a:x": 100}], "users_default": [0], "notifications": [{"room": 50}], "redacts": ["$t"],
    "aliases": [["#a:x"]], "alias": ["#a:x"], "body": ["text"], "msgtype": ["m.text"], "additional_creators": [["@b:x"]],
    "m.relates_to": [{"rel_type": "m.annotation", "event_id": "$t", "key": "+"}, {"m.in_reply_to": {"event_id": "$t"}}],
}
OF_TYPE = {
    "m.room.member": ["membership", "displayname", "join_authorised_via_users_server", "third_party_invite", "reason"],
    "m.room.create": ["creator", "room_version", "m.federate", "predecessor", "additional_creators"],
    "m.room.power_levels": ["ban", "kick", "redact", "invite", "events", "events_default", "state_default", "users",
                            "users_default", "notifications"],
    "m.room.join_rules": ["join_rule", "allow", "reason"],
    "m.room.redaction": ["redacts", "reason"],
    "m.room.aliases": ["aliases", "alias"],
}
TOP = {
    "origin": ["x", 1], "membership": ["join", None], "prev_state": [[], "x"], "prev_state_events": [["$s"], []],
    "redacts": ["$t"], "age": [5], "unsigned": [{"age_ts": 5, "prev_content": {"a": 1}}], "replaces_state": ["$r"],
    "extra": [{"a": 1}], "msc4354_sticky": [{"duration_ms": 1}], "calculated_auth_events": [["$c"]],
}
ODD = ["text", 5, None, True, [], [{"signed": {}}], {}, {"signed": "text", "more": 1}, {"rel_type": 1, "event_id": [], "key": 2}]


def event(random, kind, floats):
    keys = set(OF_TYPE.get(kind, [])) | set(random.sample(sorted(CONTENT), 5)) | {"m.relates_to"}
    content = {}
    for key in sorted(keys):
        if random.random() < 0.8:
            content[key] = random.choice(ODD if random.random() < 0.25 else CONTENT[key])
    pdu = {
        "type": kind, "sender": "@a:x", "content": content, "origin_server_ts": 7, "depth": 3,
        "hashes": {"sha256": "h"}, "signatures": {"x": {"ed25519:1": "s"}},
        "auth_events": ["$a"], "prev_events": ["$p"], "room_id": "!r:x",
    }
    if random.random() < 0.6:
        pdu["state_key"] = random.choice(["", "@b:x"])
    if kind == "m.room.create":
        pdu["state_key"] = ""
    for key in sorted(TOP):
        if random.random() < 0.4:
            pdu[key] = random.choice(TOP[key])
    if floats:
        for key in ("users_default", "body", "ban"):
            content[key] = random.choice([1.5, -0.25, 1e300])
        content["users"] = {"@a:x": 50.5}
    return pdu


def judged(pdu, name, version):
    pdu = json.loads(json.dumps(pdu))
    if version.msc4291_room_ids_as_hashes and pdu["type"] == "m.room.create":
        del pdu["room_id"]
    # versions 1 and 2 name their events, and those they refer to with hashes
    if name in ("1", "2"):
        pdu["event_id"] = "$e"
        for key in ("auth_events", "prev_events"):
            pdu[key] = [[one, {"sha256": "h"}] for one in pdu[key]]
    # this one has the states before it in the place of auth events
    asked = dict(pdu)
    if version.msc4242_state_dags:
        del pdu["auth_events"]
        pdu.setdefault("prev_state_events", ["$s"])
    left = prune_event(make_event_from_dict(pdu, version)).get_dict()
    for key in ("unsigned", "event_id", "room_id"):
        left.pop(key, None)
    if version.msc4242_state_dags:
        left["auth_events"] = asked["auth_events"]
        if "prev_state_events" not in asked:
            del left["prev_state_events"]
    # the references are alike in all versions to the tests
    for key in ("auth_events", "prev_events"):
        left[key] = [one if isinstance(one, str) else one[0] for one in left[key]]
    return left


def main():
    source = random.Random(7)
    refused = {}
    count = 0
    for kind in TYPES:
        for nth in range(EACH):
            floats = nth == EACH - 1
            pdu = event(source, kind, floats)
            groups = []
            for version in sorted(VERSIONS, key=lambda version: (len(version.identifier), version.identifier)):
                name = version.identifier
                if floats and version.strict_canonicaljson:
                    continue
                # some events are none to some versions: their own fields must have their type
                try:
                    left = judged(pdu, name, version)
                except Exception as error:
                    refused[(name, str(error))] = refused.get((name, str(error)), 0) + 1
                    continue
                count += 1
                for names, same in groups:
                    if same == left and json.dumps(same) == json.dumps(left):
                        names.append(name)
                        break
                else:
                    groups.append(([name], left))
            print(json.dumps({"event": pdu, "float": floats, "left": groups}, separators=(",", ":")))
    print(f"{count} events judged; refused: {refused}", file=sys.stderr)


main()
