# SPDX-License-Identifier: Apache-2.0
"""A strict parser of the Prometheus text format 0.0.4: what it accepts is a page that every consumer accepts."""

import re

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_VALUE = re.compile(r"[+-]?(\d+(\.\d*)?([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|Inf)|NaN")
_TYPES = ("counter", "gauge", "histogram", "summary", "untyped")
_SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}


class ParseError(ValueError):
    pass


class Sample:
    __slots__ = ("name", "labels", "value")

    def __init__(self, name, labels, value):
        self.name, self.labels, self.value = name, labels, value

    def __repr__(self):
        return "%s%s %r" % (self.name, self.labels, self.value)


class Family:
    def __init__(self, name):
        self.name, self.type, self.help, self.samples = name, None, None, []


class Families(dict):
    """{family name: Family}, with look-ups by labels; a sample matches when it has all the given labels."""

    def samples(self, name, /, **labels):
        for base in (name, re.sub(r"_(bucket|sum|count)$", "", name)):
            if base in self:
                return [s for s in self[base].samples
                        if s.name == name and all(s.labels.get(k, "") == v for k, v in labels.items())]
        return []

    def value(self, name, /, **labels):
        """The value of the one sample that matches; an error when there is none or more than one."""
        found = self.samples(name, **labels)
        if len(found) != 1:
            raise KeyError("%d samples of %s match %s" % (len(found), name, labels))
        return found[0].value

    def sum(self, name, /, **labels):
        return sum(s.value for s in self.samples(name, **labels))

    def by(self, label, name, /, **labels):
        """{value of the label: value of the sample}"""
        return {s.labels.get(label, ""): s.value for s in self.samples(name, **labels)}


def parse(text):
    """Families of a page. Raises ParseError with the line number at the first thing that is not right."""
    if text and not text.endswith("\n"):
        raise ParseError("the last line does not end with a line feed")
    families, seen, current = Families(), set(), None
    for number, line in enumerate(text.split("\n"), 1):
        try:
            if not line:
                continue
            if line.startswith("#"):
                current = _comment(line, families, current)
            else:
                sample = _sample(line)
                current = _owner(sample.name, families, current)
                key = (sample.name, tuple(sorted(sample.labels.items())))
                if key in seen:
                    raise ParseError("the series is there twice")
                seen.add(key)
                current.samples.append(sample)
        except ParseError as error:
            raise ParseError("line %d: %s: %s" % (number, error, line[:300])) from None
    for family in families.values():
        if family.type == "histogram":
            _check_histogram(family)
    return families


def _comment(line, families, current):
    match = re.fullmatch(r"# (HELP|TYPE) ([^ ]+) (.*)", line)
    if not match:
        if line.startswith(("# HELP", "# TYPE")):
            raise ParseError("malformed comment")
        return current
    kind, name, rest = match.groups()
    if not _NAME.fullmatch(name):
        raise ParseError("bad family name")
    if current is None or current.name != name:
        if name in families:
            raise ParseError("the family is there twice")
        current = families[name] = Family(name)
    if current.samples:
        raise ParseError("comment after samples")
    if kind == "TYPE":
        if current.type is not None or rest not in _TYPES:
            raise ParseError("bad or second TYPE")
        current.type = rest
    else:
        if current.help is not None:
            raise ParseError("second HELP")
        current.help = _unescape(rest, "\\n")
    return current


def _owner(name, families, current):
    """The family that the sample belongs to: the one whose block we are in, or a new one without a type."""
    if current is not None:
        suffixes = _SUFFIXES.get(current.type, ("",))
        if name in [current.name + suffix for suffix in suffixes]:
            return current
    if name in families:
        raise ParseError("sample outside its family's block")
    family = families[name] = Family(name)
    family.type = "untyped"
    return family


def _sample(line):
    match = _NAME.match(line)
    if not match:
        raise ParseError("bad metric name")
    name, at = match.group(), match.end()
    labels = {}
    if at < len(line) and line[at] == "{":
        labels, at = _labels(line, at + 1)
    if at >= len(line) or line[at] != " ":
        raise ParseError("no space before the value")
    value = line[at + 1:]
    if not _VALUE.fullmatch(value):
        raise ParseError("bad value (explicit timestamps are not expected)")
    return Sample(name, labels, float(value))


def _labels(line, at):
    labels = {}
    while line[at:at + 1] != "}":
        match = _LABEL.match(line, at)
        if not match or line[match.end():match.end() + 2] != '="':
            raise ParseError("bad label")
        name, start = match.group(), match.end() + 2
        end = start
        while line[end:end + 1] != '"':
            if end >= len(line):
                raise ParseError("unterminated label value")
            end += 2 if line[end] == "\\" else 1
        if name in labels:
            raise ParseError("label is there twice")
        labels[name] = _unescape(line[start:end], '\\n"')
        at = end + 1
        if line[at:at + 1] == ",":
            at += 1
        elif line[at:at + 1] != "}":
            raise ParseError("no comma between labels")
    return labels, at + 1


def _unescape(text, allowed):
    def replace(match):
        if match.group(1) not in allowed or not match.group(1):
            raise ParseError("bad escape")
        return "\n" if match.group(1) == "n" else match.group(1)
    return re.sub(r"\\(.?)", replace, text)


def _check_histogram(family):
    """Buckets of each series rise, end with +Inf, and agree with _count."""
    series = {}
    for sample in family.samples:
        labels = dict(sample.labels)
        bound = labels.pop("le", None)
        parts = series.setdefault(tuple(sorted(labels.items())), {"buckets": []})
        if sample.name.endswith("_bucket"):
            if bound is None:
                raise ParseError("%s: bucket without le" % family.name)
            parts["buckets"].append((float(bound), sample.value))
        else:
            parts[sample.name[len(family.name):]] = sample.value
    for labels, parts in series.items():
        buckets = parts["buckets"]
        counts = [count for _, count in buckets]
        if (not buckets or buckets != sorted(buckets) or counts != sorted(counts) or buckets[-1][0] != float("inf")
                or parts.get("_count") != counts[-1] or "_sum" not in parts):
            raise ParseError("%s%s: inconsistent histogram" % (family.name, dict(labels)))
