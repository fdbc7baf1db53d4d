"""Place one signed order over MQTT and print its ack (docs/signing.md).

    pip install paho-mqtt
    python signed_order.py --user alice --key alice.key 005930 buy 1 71900

The password of the MQTT user comes from the variable MQTT_PASSWORD; alice.key has the text of
signing_key in [orders.clients.alice].
"""

import argparse
import hashlib
import hmac
import json
import os
import secrets
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import paho.mqtt.client as mqtt


def seal(key: str, topic: str, payload: str, nonce: str, expires_at: str) -> str:
    """Return the envelope of a payload: what is published instead of it."""
    text = "\n".join(("kis-bridge-signature-1", topic, nonce, expires_at, payload))
    signature = hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
    signed = {
        "payload": payload,
        "nonce": nonce,
        "expires_at": expires_at,
        "signature": signature,
    }
    return json.dumps({"signed": signed})


def main() -> int:
    options = argparse.ArgumentParser(description="Place one signed order.")
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=1883)
    options.add_argument("--ca-file", help="certificates to trust; then TLS is used")
    options.add_argument("--user", required=True)
    options.add_argument("--key", type=Path, required=True, help="file with the signing key")
    options.add_argument("--account", default="main")
    options.add_argument("symbol")
    options.add_argument("side", choices=("buy", "sell"))
    options.add_argument("quantity", type=int)
    options.add_argument("price", type=int)
    asked = options.parse_args()

    name = f"py-{secrets.token_hex(8)}"
    order = {
        "client_order_id": name,
        "market": "domestic_stock",
        "venue": "krx",
        "symbol": asked.symbol,
        "side": asked.side,
        "order_type": "limit",
        "quantity": asked.quantity,
        "price": asked.price,
    }
    base = f"kis/orders/{asked.account}/{asked.user}"
    topic = f"{base}/command/place"
    # The signature says until when it is good; the command needs no other deadline.
    until = datetime.now(UTC) + timedelta(seconds=10)
    envelope = seal(
        asked.key.read_text().strip(),
        topic,
        json.dumps(order),
        secrets.token_hex(16),
        until.isoformat(timespec="seconds"),
    )

    answers: list[dict[str, object]] = []
    answered = threading.Event()

    def subscribed(client: mqtt.Client, *_: object) -> None:
        client.publish(topic, envelope, qos=1)

    def arrived(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        answers.append(json.loads(message.payload))
        answered.set()

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.username_pw_set(asked.user, os.environ.get("MQTT_PASSWORD"))
    if asked.ca_file:
        client.tls_set(asked.ca_file)
    # A signature that is refused is answered on ack/invalid: whoever has no key is not to say what
    # became of an order under its name.
    acks = [(f"{base}/ack/{name}", 1), (f"{base}/ack/invalid", 1)]
    client.on_connect = lambda client, *_: client.subscribe(acks)
    client.on_subscribe = subscribed
    client.on_message = arrived
    client.connect(asked.host, asked.port)
    client.loop_start()
    try:
        if not answered.wait(15):
            print("no ack within 15 s", file=sys.stderr)
            return 1
    finally:
        client.disconnect()
        client.loop_stop()
    print(json.dumps(answers[0], ensure_ascii=False))
    return 0 if answers[0]["status"] == "accepted" else 1


if __name__ == "__main__":
    sys.exit(main())
