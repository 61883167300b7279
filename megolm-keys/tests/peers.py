"""How fast mautrix (Python) and matrix-nio decrypt what `speed.rs` decrypted, a core each, in memory, sessions imported beforehand.

EVENTS_FILE=events cargo test --release -p megolm-keys --test speed -- --ignored --nocapture
pip install mautrix==0.21.1 matrix-nio==0.25.2 python-olm==3.2.16 cachetools peewee atomicwrites pycryptodome base58
python peers.py events
"""

import asyncio
import json
import sys
import time
from types import SimpleNamespace

ROOM, SENDER, KEY, SIGNING = "!room:a.example", "@somebody:a.example", "x" * 43, "y" * 43
EVENTS = [json.loads(line) for line in open(sys.argv[1])]


def told(who, count, began):
    print(f"{who}: {count / (time.process_time() - began):.0f} events a second")


def event(number, content):
    return {
        "type": "m.room.encrypted", "room_id": ROOM, "sender": SENDER, "event_id": f"${number}",
        "origin_server_ts": number, "content": json.loads(content), "unsigned": {},
    }


def numbered():
    return enumerate(content for session in EVENTS for content in session["contents"])


async def mautrix():
    from mautrix.crypto import InboundGroupSession, OlmMachine
    from mautrix.crypto.account import OlmAccount
    from mautrix.crypto.store import MemoryCryptoStore
    from mautrix.types import EncryptedEvent

    class Machine(OlmMachine):
        async def get_or_fetch_device_by_key(self, user_id, identity_key):
            return None  # there is no server to be asked

    client = SimpleNamespace(device_id="OWN", mxid="@own:a.example", add_event_handler=lambda *_, **__: None)
    store = MemoryCryptoStore("account", "key")
    machine = Machine(client, store, None)
    machine.account = OlmAccount()
    for one in EVENTS:
        session = InboundGroupSession.import_session(one["session_key"], SIGNING, KEY, ROOM)
        await store.put_group_session(ROOM, KEY, one["session_id"], session)
    began, count = time.process_time(), 0
    for number, content in numbered():
        said = await machine.decrypt_megolm_event(EncryptedEvent.deserialize(event(number, content)))
        count += said.content.body.startswith("message ")
    told("mautrix", count, began)
    return count


def nio():
    from nio.crypto import InboundGroupSession, Olm
    from nio.events import MegolmEvent
    from nio.store import SqliteMemoryStore

    machine = Olm("@own:a.example", "OWN", SqliteMemoryStore("@own:a.example", "OWN"))
    for one in EVENTS:
        machine.inbound_group_store.add(InboundGroupSession.import_session(one["session_key"], SIGNING, KEY, ROOM))
    began, count = time.process_time(), 0
    for number, content in numbered():
        said = machine.decrypt_megolm_event(MegolmEvent.from_dict(event(number, content)), ROOM)
        count += said.body.startswith("message ")
    told("matrix-nio", count, began)
    return count


expected = sum(len(session["contents"]) for session in EVENTS)
assert asyncio.run(mautrix()) == expected
assert nio() == expected
