//! The fields of a JSON object, found without reading what is in them: a source sends objects of which we need some
//! fields, hand on others unchanged, and cannot rely on the type of any.

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Finds the fields of those names in a JSON object; of a name that comes twice the last counts. Gives the number of
/// fields that the object has.
///
/// # Errors
///
/// If the text is no JSON object, or something stands behind it.
pub(crate) fn pick<'a>(
    text: &'a str,
    names: &[&str],
    found: &mut [Option<&'a RawValue>],
) -> Result<usize, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let count = deserializer.deserialize_map(Pick { names, found })?;
    deserializer.end()?;
    Ok(count)
}

struct Pick<'a, 'n> {
    names: &'n [&'n str],
    found: &'n mut [Option<&'a RawValue>],
}

impl<'a> Visitor<'a> for Pick<'a, '_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<usize, A::Error> {
        let mut count = 0_usize;
        while let Some(Name(index)) = map.next_key_seed(Names(self.names))? {
            count = count.saturating_add(1);
            match index.and_then(|index| self.found.get_mut(index)) {
                Some(place) => *place = Some(map.next_value()?),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(count)
    }
}

/// The index of a name, where it is one of those that are looked for.
struct Name(Option<usize>);

struct Names<'n>(&'n [&'n str]);

impl<'de> serde::de::DeserializeSeed<'de> for Names<'_> {
    type Value = Name;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Name, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Names<'_> {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Name, E> {
        Ok(Name(self.0.iter().position(|wanted| *wanted == name)))
    }
}

/// The first element of a JSON array as it stands; none where the value is no array, or an empty one.
pub(crate) fn first(array: &RawValue) -> Option<&RawValue> {
    let mut deserializer = serde_json::Deserializer::from_str(array.get());
    deserializer.deserialize_seq(First).ok()?
}

struct First;

impl<'a> Visitor<'a> for First {
    type Value = Option<&'a RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let first = elements.next_element()?;
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(first)
    }
}

/// The text, where the value is a string.
pub(crate) fn text(value: &RawValue) -> Option<String> {
    if value.get().starts_with('"') { serde_json::from_str(value.get()).ok() } else { None }
}

/// The number, where the value is one and finite. Also one written as a string, if `in_text`.
pub(crate) fn number(value: &RawValue, in_text: bool) -> Option<f64> {
    let found = match value.get().as_bytes().first()? {
        b'-' | b'0'..=b'9' => value.get().parse().ok(),
        b'"' if in_text => text(value)?.trim().parse().ok(),
        _ => None,
    };
    found.filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found<'a>(text: &'a str, names: &[&str]) -> Option<(usize, Vec<Option<&'a str>>)> {
        let mut found = vec![None; names.len()];
        let count = pick(text, names, &mut found).ok()?;
        Some((count, found.into_iter().map(|value| value.map(RawValue::get)).collect()))
    }

    #[test]
    fn fields_are_found_as_they_stand() {
        let text = r#" { "a" : {"x": [1.50, "\u00fc"]} , "b":1e999,"c":null,"a\u0062":7 , "b" : "last" } "#;
        let expected = [Some(r#"{"x": [1.50, "\u00fc"]}"#), Some(r#""last""#), Some("7"), None];
        assert_eq!(found(text, &["a", "b", "ab", "d"]), Some((5, expected.to_vec())));
        assert_eq!(found("{}", &["a"]), Some((0, vec![None])));
        for wrong in ["", "[]", "7", "\"{}\"", "null", "{} {}", "{\"a\":}", "{\"a\":1", "{\"a\":1}x"] {
            assert_eq!(found(wrong, &["a"]), None, "{wrong}");
        }
    }

    #[test]
    fn depth_costs_nothing() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(found(&deep, &["a"]).map(|(count, _)| count), Some(1));
        assert_eq!(found(&deep, &["b"]).map(|(count, _)| count), Some(1));
    }

    fn raw(text: &str) -> Box<RawValue> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_first_of_an_array_is_found_as_it_stands() {
        let table = [
            (r#"[ {"a": [1]} , 2, "3"]"#, Some(r#"{"a": [1]}"#)),
            ("[1]", Some("1")),
            ("[null]", Some("null")),
            ("[]", None),
            ("{}", None),
            ("7", None),
            ("\"[1]\"", None),
        ];
        for (array, expected) in table {
            assert_eq!(first(&raw(array)).map(RawValue::get), expected, "{array}");
        }
    }

    #[test]
    fn values_have_types() {
        for (json, plain, lenient) in [
            ("7", Some(7.0), Some(7.0)),
            ("-1.5e2", Some(-150.0), Some(-150.0)),
            ("1e999", None, None),
            ("\" 15 \"", None, Some(15.0)),
            ("\"1.5\"", None, Some(1.5)),
            ("\"inf\"", None, None),
            ("\"NaN\"", None, None),
            ("\"0x10\"", None, None),
            ("\"\"", None, None),
            ("true", None, None),
            ("null", None, None),
            ("[1]", None, None),
        ] {
            assert_eq!(number(&raw(json), false), plain, "{json}");
            assert_eq!(number(&raw(json), true), lenient, "{json}");
        }
        assert_eq!(text(&raw(r#""a\u00fc\n""#)).as_deref(), Some("a\u{fc}\n"));
        for no_text in ["7", "null", "{}", r#""\ud800""#] {
            assert_eq!(text(&raw(no_text)), None, "{no_text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text in ".{0,100}", json in "[{}\\[\\]\":,a-ceu0-9\\\\.-]{0,40}") {
            let _ = found(&text, &["a"]);
            let _ = found(&json, &["a", "b"]);
        }
    }
}
