"""Prices on a small display: MicroPython on an ESP32, with `umqtt.simple`.

One retained message has everything, so that the device follows no ticks: `kis/bridge/overview`.
With `overview.symbols = 20` in bridge.toml it is below 3 kB. Replace `show` by what your display
wants; here it is the serial console.
"""

import json
import time

from umqtt.simple import MQTTClient

BROKER, USER, PASSWORD = "192.168.0.10", "display", "secret"
OVERVIEW, STATE = b"kis/bridge/overview", b"kis/bridge/state"

online = False


def lines(report):
    """Return a line a symbol; a value that cannot be trusted has a mark."""
    head = report["environment"] + (" HALTED" if report["halted"] else "")
    rows = [head if online else head + " (bridge is offline)"]
    for name, one in report["symbols"].items():
        symbol = name.split("/")[-1]
        price = "-" if one["price"] is None else one["price"]
        rate = "" if one["change_rate"] is None else f" {one['change_rate']:+}%"
        mark = "" if one["quality"] == "live" else f" ({one['quality']})"
        rows.append(f"{symbol:<8}{price}{rate}{mark}")
    if report["left_out"]:
        rows.append(f"and {report['left_out']} more")
    return rows


def show(rows):
    """Put the lines on the display."""
    for row in rows:
        print(row)


def received(topic, payload):
    """Take a message; umqtt calls this."""
    global online
    if topic == STATE:
        online = json.loads(payload)["state"] == "online"
    elif payload:
        show(lines(json.loads(payload)))


def follow():
    """Connect and listen until the connection breaks."""
    client = MQTTClient("display", BROKER, user=USER, password=PASSWORD, keepalive=30)
    client.set_callback(received)
    client.connect()
    for topic in (STATE, OVERVIEW):
        client.subscribe(topic)
    while True:
        client.check_msg()
        client.ping()
        time.sleep(1)


def main():
    """Follow for ever."""
    while True:
        try:
            follow()
        except OSError as error:
            print("broker away:", error)
            time.sleep(5)


if __name__ == "__main__":
    main()
