"""What the contract's files say of messages and enums, as proto3 JSON names it. Needs no protoc."""

import re
from pathlib import Path

PROTO = Path(__file__).resolve().parents[2] / "proto/sunmi/trade/v1"

INTEGERS = {"int64"}
FIELD = re.compile(r"^\s*(repeated |optional )?(map<[^>]+>|[\w.]+) (\w+) = \d+(?: \[[^]]*\])?;", re.M)
BLOCK = re.compile(r"^(message|enum) (\w+) \{\n(.*?)^\}", re.M | re.S)


class Contract:
    """Messages: field by its name in JSON to (repeated, type). Enums: their values."""

    def __init__(self):
        self.messages, self.enums, self.rpcs = {}, {}, {}
        for file in sorted(PROTO.glob("*.proto")):
            text = re.sub(r"//.*", "", file.read_text())
            self.rpcs |= {
                name: (asked, answered)
                for name, asked, answered in re.findall(r"rpc (\w+)\((\w+)\) returns \((\w+)\)", text)
            }
            for kind, name, body in BLOCK.findall(text):
                if kind == "enum":
                    self.enums[name] = re.findall(r"^\s*(\w+) = \d+;", body, re.M)
                else:
                    self.messages[name] = {
                        json_name(field): (label == "repeated ", type)
                        for label, type, field in FIELD.findall(body)
                    }

    def faults(self, value, message, at):
        """Why this cannot be contained in the message's JSON."""
        fields = self.messages[message]
        for name, inner in value.items():
            where = f"{at}.{name}"
            if name not in fields:
                yield f"{where}: {message} has no such field"
            elif inner is not None:
                yield from self.of_field(inner, fields[name], where)

    def of_field(self, value, field, at):
        repeated, type = field
        if repeated:
            for place, element in enumerate(value):
                yield from self.of_field(element, (False, type), f"{at}[{place}]")
        elif type in self.messages:
            yield from self.faults(value, type, at)
        elif type in self.enums:
            if value not in self.enums[type]:
                yield f"{at}: {value!r} is none of {type}"
        elif type in INTEGERS:
            if not (isinstance(value, str) and re.fullmatch(r"-?\d+", value)):
                yield f"{at}: an int64 is a string of digits"
        elif type == "bool":
            if not isinstance(value, bool):
                yield f"{at}: is true or false"
        elif type.startswith("map<"):
            if not all(isinstance(it, str) for it in value.values()):
                yield f"{at}: a map's values are texts"
        elif not isinstance(value, str):
            yield f"{at}: is a text"


def json_name(field):
    return re.sub(r"_(\w)", lambda found: found[1].upper(), field)


def in_proto(name):
    """The field's name in the contract."""
    return re.sub(r"[A-Z]", lambda found: "_" + found[0].lower(), name)
