"""kis-mqtt-bridge: KIS real-time data and orders over MQTT."""

__version__ = "0.1.0"
