"""The hub's Kafka contract as one AsyncAPI 3.0 document: channels are the topics, messages the catalogue's types."""

from __future__ import annotations

from typing import Any

from schemas.catalogue import PAYLOADS
from schemas.envelope import CONTENT_TYPE, Payload
from schemas.examples import example
from schemas.generate import schema
from schemas.topics import MAX_MESSAGE_BYTES, TOPICS, Topic

Json = dict[str, Any]

_DESCRIPTION = (
    "CloudEvents 1.0 in structured mode. Partners do not read Kafka: they get the same events, cut to what each may"
    " see, by webhook, GET /events and GET /stream."
)
_DAY_MS = 86_400_000


def document() -> Json:
    """The whole document, deterministic."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Jalons · events", "version": "1", "description": _DESCRIPTION},
        "defaultContentType": CONTENT_TYPE,
        "channels": {_channel(topic): _described(topic) for topic in TOPICS},
        "operations": {f"say-{_channel(topic)}": _operation(topic) for topic in TOPICS},
        "components": {
            "messages": {payload.TYPE: _message(payload) for payload in PAYLOADS},
            "schemas": {payload.TYPE: _payload(payload) for payload in PAYLOADS},
        },
    }


def _channel(topic: Topic) -> str:
    return topic.name.removeprefix("jalons.")


def _types(topic: Topic) -> list[str]:
    return [payload.TYPE for payload in PAYLOADS if topic == payload.TOPIC]


def _described(topic: Topic) -> Json:
    kept = -1 if topic.retention_days is None else topic.retention_days * _DAY_MS
    return {
        "address": topic.name,
        "description": f"Written by {' and '.join(topic.writers)}, in order for each key: {topic.key}.",
        "messages": {type_: {"$ref": f"#/components/messages/{type_}"} for type_ in _types(topic)},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": ["delete"],
                    "retention.ms": kept,
                    "max.message.bytes": MAX_MESSAGE_BYTES,
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation(topic: Topic) -> Json:
    at = f"#/channels/{_channel(topic)}"
    return {
        "action": "send",
        "channel": {"$ref": at},
        "summary": f"The hub says what happened, on {topic.name}.",
        "messages": [{"$ref": f"{at}/messages/{type_}"} for type_ in _types(topic)],
    }


def _message(payload: type[Payload]) -> Json:
    said = example(payload.TYPE)["event"]
    headers = {"content-type": CONTENT_TYPE, "source": said["source"], "type": payload.TYPE}
    return {
        "name": payload.TYPE,
        "title": payload.TYPE,
        "summary": " ".join((payload.__doc__ or "").split()),
        "contentType": CONTENT_TYPE,
        "headers": {
            "type": "object",
            "description": "CloudEvents attributes again, so that a reader may pass over a record unread.",
            "required": list(headers),
            "properties": {
                "content-type": {"type": "string", "const": CONTENT_TYPE},
                "source": {"type": "string", "examples": [said["source"]]},
                "type": {"type": "string", "const": payload.TYPE},
            },
        },
        "payload": {"$ref": f"#/components/schemas/{payload.TYPE}"},
        "bindings": {
            "kafka": {"key": {"type": "string", "description": payload.TOPIC.key}, "bindingVersion": "0.5.0"},
        },
        "examples": [{"name": payload.TYPE, "headers": headers, "payload": said}],
    }


def _payload(payload: type[Payload]) -> Json:
    """The type's own JSON Schema, its definitions found from where it now stands."""
    whole = {name: value for name, value in schema(payload).items() if name not in {"$schema", "$id"}}
    moved: Json = _moved(whole, f"#/components/schemas/{payload.TYPE}/$defs/")
    return moved


def _moved(value: Any, to: str) -> Any:
    if isinstance(value, dict):
        return {
            name: to + each.removeprefix("#/$defs/") if name == "$ref" else _moved(each, to)
            for name, each in value.items()
        }
    return [_moved(each, to) for each in value] if isinstance(value, list) else value
