"""wukong-easy-sdk 0.1.0 (PyPI), unmodified, against a running server.

usage: python easy_sdk.py WS_ADDRESS HTTP_ADDRESS

The other end of each conversation is the back end's HTTP API.
"""

import asyncio
import base64
import json
import sys
import urllib.request

from wukong_easy_sdk import AuthOptions, WKIM, WKIMError, WKIMEvent, WKIMOptions, WKIMChannelType

WS, HTTP = sys.argv[1:3]
PATIENCE = 20
# Two heartbeats in seconds instead of in a minute.
QUICK = WKIMOptions(ping_interval=0.5, reconnect_delay=0.1)


async def post(path, body):
    def call():
        request = urllib.request.Request(f"http://{HTTP}{path}", json.dumps(body).encode())
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    return await asyncio.to_thread(call)


async def send(sender, receiver, text, red_dot=1):
    payload = base64.b64encode(json.dumps({"type": 1, "content": text}).encode()).decode()
    await post("/message/send", {
        "header": {"red_dot": red_dot}, "from_uid": sender, "channel_id": receiver,
        "channel_type": 1, "payload": payload,
    })


async def until(what, look):
    async def wait():
        while not look():
            await asyncio.sleep(0.01)

    try:
        await asyncio.wait_for(wait(), PATIENCE)
    except TimeoutError:
        raise AssertionError(f"waited in vain for {what}") from None


def client(token):
    return WKIM.init(f"ws://{WS}", AuthOptions(uid="py", token=token), QUICK)


async def wrong_token():
    """A wrong token is an error with the reason, and the end of it."""
    try:
        async with client("wrong"):
            raise AssertionError("a wrong token was let in")
    except WKIMError as error:
        assert "2" in f"{error.code} {error}", error


async def main():
    await post("/user/token", {"uid": "py", "token": "right", "device_flag": 2, "device_level": 0})
    await wrong_token()
    print("ok wrong_token")

    im = client("right")
    messages, errors, gone = [], [], []
    im.on(WKIMEvent.MESSAGE, messages.append)
    im.on(WKIMEvent.ERROR, errors.append)
    im.on(WKIMEvent.DISCONNECT, gone.append)
    await im.connect()
    print("ok connects")

    sent = await im.send("peer", WKIMChannelType.PERSON, {"type": 1, "content": "from python"})
    assert sent["reasonCode"] == 1 and sent["messageSeq"] == 1, sent
    print("ok sends")

    # The last has no red dot: every flag of its header is false.
    for text, red_dot in [("one", 1), ("two", 1), ("three", 0)]:
        await send("peer", "py", text, red_dot)
    await until("three messages", lambda: len(messages) >= 3)
    await asyncio.sleep(0.3)
    assert [m["payload"]["content"] for m in messages] == ["one", "two", "three"], messages
    assert [m["messageSeq"] for m in messages] == [2, 3, 4], messages
    print("ok receives_three")

    await asyncio.sleep(1.6)
    await im.ping()
    assert im.is_connected and not errors and not gone, (errors, gone)
    print("ok survives_heartbeats")

    await im.disconnect()
    await send("peer", "py", "while away")
    await im.connect()
    page = await post("/channel/messagesync", {
        "login_uid": "py", "channel_id": "peer", "channel_type": 1, "limit": 100,
        "pull_mode": 1, "start_message_seq": 1, "end_message_seq": 0,
    })
    assert [m["message_seq"] for m in page["messages"]] == [1, 2, 3, 4, 5], page
    print("ok catches_up")

    await post("/user/device_quit", {"uid": "py", "device_flag": 2})
    await until("the kick", lambda: not im.is_connected and gone)
    await asyncio.sleep(1)
    assert not im.is_connected, "the client came back after a kick"
    print("ok is_kicked")
    await im.destroy()


asyncio.run(main())
