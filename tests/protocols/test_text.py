import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import InputError
from protocols.text import json_text, parse_json, parse_yaml, yaml_text

_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(("write", "read"), [(json_text, parse_json), (yaml_text, parse_yaml)])
@given(data=_PLAIN)
def test_plain_data_reads_back_as_it_was(write, read, data):
    back = read(write(data))
    assert repr(back) == repr(data)


@pytest.mark.parametrize(
    "text", ["null", "NO", "1:30", "1e-3", " a\n b \n", "a\r\nb", "\x85", "\u2028\n", "~"]
)
def test_text_stays_text_in_yaml(text):
    assert parse_yaml(yaml_text([text])) == [text]


def test_text_of_several_lines_is_written_as_lines():
    assert yaml_text({"xml": "<a>\n</a>"}) == "xml: |-\n  <a>\n  </a>\n"


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (parse_json, '{"a": 1,\n "b" 2}', "not JSON; line 2: Expecting ':' delimiter"),
        (parse_json, "", "not JSON; line 1: Expecting value"),
        (parse_json, '{"a": 1, "b": 2, "a": 3}', "'a' is there twice"),
        (parse_json, "[" * 100_000, "nested too deeply"),
        (parse_yaml, "a: 1\nb: [2\n", "not YAML; line 3: "),
        (parse_yaml, "a: 1\nb: 2\na: 3\n", "not YAML; line 3: 'a' is there twice"),
        (
            parse_yaml,
            "a: !!python/object:os.system 1\n",
            "not YAML; line 1: could not determine a constructor",
        ),
        (parse_yaml, "? [1]\n: 2\n", "not YAML; line 1: found unhashable key"),
        (parse_yaml, "a: \x01", "not YAML; "),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(read, text, message):
    with pytest.raises(InputError) as caught:
        read(text)
    assert str(caught.value).startswith("document: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_numbers_that_json_does_not_have_are_not_written():
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text(math.nan)
