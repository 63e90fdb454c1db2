"""The fleet over MQTT 5: what streams do is published, and commands to them are taken. docs/mqtt.md has topics and payloads."""
