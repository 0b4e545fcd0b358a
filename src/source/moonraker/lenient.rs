//! Fields that take what comes. Printer vendors patch Moonraker: a field of another type than documented must
//! not make the whole message unreadable, and a change message leaves most fields out.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// A field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) enum Field<T> {
    /// Not there, or of another type than expected.
    #[default]
    Absent,
    /// `null`.
    Null,
    /// There.
    Value(T),
}

impl<T> Field<T> {
    /// The value, where there is one.
    pub(super) fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// Puts the news of a change message into what is known: absent changes nothing, null forgets. Returns
    /// whether something else is known now.
    pub(super) fn merge_into<U: PartialEq>(
        self,
        known: &mut Option<U>,
        convert: impl FnOnce(T) -> Option<U>,
    ) -> bool {
        let news = match self {
            Self::Absent => return false,
            Self::Null => None,
            Self::Value(value) => convert(value),
        };
        let changed = *known != news;
        if changed {
            *known = news;
        }
        changed
    }
}

/// Reads out of JSON straight into where it belongs. What is not overridden is skipped.
pub(super) trait Reader<'de>: Sized {
    fn object<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        skip_map(map)
    }
    fn array<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        skip_seq(seq)
    }
}

/// Hands a JSON value to a reader; one that is neither object nor array is skipped.
pub(super) struct With<R>(pub(super) R);

impl<'de, R: Reader<'de>> DeserializeSeed<'de> for With<R> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, R: Reader<'de>> Visitor<'de> for With<R> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        self.0.array(seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.0.object(map)
    }
}

/// Reads the name of a field, and finds what is meant by it, without keeping it.
pub(super) struct Key<F>(pub(super) F);

impl<'de, T, F: FnOnce(&str) -> T> DeserializeSeed<'de> for Key<F> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<T, F: FnOnce(&str) -> T> Visitor<'_> for Key<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<T, E> {
        Ok((self.0)(name))
    }
}

/// Reads the field of that name of an object.
pub(super) struct Inside<'n, R>(pub(super) &'n str, pub(super) R);

impl<'de, R: Reader<'de>> Reader<'de> for Inside<'_, R> {
    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(wanted, reader) = self;
        let mut reader = Some(reader);
        while let Some(found) = map.next_key_seed(Key(|name: &str| name == wanted))? {
            match reader.take_if(|_| found) {
                Some(reader) => map.next_value_seed(With(reader))?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// Reads the first element of an array.
pub(super) struct First<R>(pub(super) R);

impl<'de, R: Reader<'de>> Reader<'de> for First<R> {
    fn array<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if seq.next_element_seed(With(self.0))?.is_some() {
            skip_seq(seq)?;
        }
        Ok(())
    }
}

/// What a JSON value may be turned into; everything not overridden is of the wrong type.
pub(super) trait Scalar<'de>: Sized {
    fn of_text(_: Cow<'de, str>) -> Option<Self> {
        None
    }
    fn of_number(_: f64) -> Option<Self> {
        None
    }
    fn of_integer(_: u64) -> Option<Self> {
        None
    }
    fn of_bool(_: bool) -> Option<Self> {
        None
    }
    fn of_map<A: MapAccess<'de>>(map: A) -> Result<Option<Self>, A::Error> {
        skip_map(map)?;
        Ok(None)
    }
    fn of_seq<A: SeqAccess<'de>>(seq: A) -> Result<Option<Self>, A::Error> {
        skip_seq(seq)?;
        Ok(None)
    }
}

impl<'de: 'a, 'a> Scalar<'de> for Cow<'a, str> {
    fn of_text(text: Cow<'de, str>) -> Option<Self> {
        Some(text)
    }
}

impl Scalar<'_> for f64 {
    fn of_number(number: f64) -> Option<Self> {
        number.is_finite().then_some(number)
    }
}

impl Scalar<'_> for u64 {
    fn of_integer(number: u64) -> Option<Self> {
        Some(number)
    }
}

impl Scalar<'_> for bool {
    fn of_bool(flag: bool) -> Option<Self> {
        Some(flag)
    }
}

/// An object that is read into `T`; anything else than an object is of the wrong type.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Scalar<'de> for Object<T> {
    fn of_map<A: MapAccess<'de>>(map: A) -> Result<Option<Self>, A::Error> {
        T::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(|object| Some(Self(object)))
    }
}

impl<'de, T: Scalar<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor(PhantomData))
    }
}

struct AnyVisitor<T>(PhantomData<T>);

impl<'de, T: Scalar<'de>> Visitor<'de> for AnyVisitor<T> {
    type Value = Field<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(T::of_text(Cow::Borrowed(text)).map_or(Field::Absent, Field::Value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(T::of_text(Cow::Owned(text.to_owned())).map_or(Field::Absent, Field::Value))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(T::of_bool(flag).map_or(Field::Absent, Field::Value))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        #[expect(clippy::cast_precision_loss, reason = "numbers of a printer stay below 2^53")]
        let value = T::of_integer(number).or_else(|| T::of_number(number as f64));
        Ok(value.map_or(Field::Absent, Field::Value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        #[expect(clippy::cast_precision_loss, reason = "numbers of a printer stay below 2^53")]
        let value = T::of_number(number as f64);
        Ok(value.map_or(Field::Absent, Field::Value))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(T::of_number(number).map_or(Field::Absent, Field::Value))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Field::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        Ok(T::of_seq(seq)?.map_or(Field::Absent, Field::Value))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Ok(T::of_map(map)?.map_or(Field::Absent, Field::Value))
    }
}

pub(super) fn skip_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

pub(super) fn skip_seq<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<(), A::Error> {
    while seq.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

/// The first `N` elements of an array that are of the right type; the others are skipped.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct List<T, const N: usize>(pub(super) Vec<T>);

impl<'de, T: Scalar<'de>, const N: usize> Scalar<'de> for List<T, N> {
    fn of_seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Option<Self>, A::Error> {
        let mut list = Vec::new();
        while list.len() < N {
            match seq.next_element::<Field<T>>()? {
                Some(Field::Value(value)) => list.push(value),
                Some(Field::Absent | Field::Null) => {}
                None => return Ok(Some(Self(list))),
            }
        }
        skip_seq(seq)?;
        Ok(Some(Self(list)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq, Default)]
    #[serde(default)]
    struct All<'a> {
        #[serde(borrow)]
        text: Field<Cow<'a, str>>,
        number: Field<f64>,
        integer: Field<u64>,
        flag: Field<bool>,
        #[serde(borrow)]
        inner: Field<Object<Inner<'a>>>,
    }

    #[derive(Debug, Deserialize, PartialEq, Default)]
    #[serde(default)]
    struct Inner<'a> {
        #[serde(borrow)]
        text: Field<Cow<'a, str>>,
    }

    #[test]
    fn every_field_takes_every_type_and_keeps_only_its_own() {
        let values = [
            "null",
            "true",
            "\"t\"",
            "\"\\u00fc\"",
            "7",
            "-7",
            "0.5",
            "1e999",
            "[1,[2]]",
            "{\"text\":\"i\"}",
        ];
        for value in values {
            let json = format!(
                r#"{{"text":{value},"number":{value},"integer":{value},"flag":{value},"inner":{value},"x":{value}}}"#
            );
            let Ok(all) = serde_json::from_str::<All<'_>>(&json) else {
                assert_eq!(value, "1e999", "only a number out of range is no JSON value to serde");
                continue;
            };
            let null = value == "null";
            let expect = |own: bool, field: &str| match (null, own) {
                (true, _) => assert_eq!(field, "Null", "{value}"),
                (_, true) => assert!(field.starts_with("Value"), "{value}: {field}"),
                (_, false) => assert_eq!(field, "Absent", "{value}"),
            };
            expect(value.starts_with('"'), &format!("{:?}", all.text));
            expect(value.parse::<f64>().is_ok(), &format!("{:?}", all.number));
            expect(value.parse::<u64>().is_ok(), &format!("{:?}", all.integer));
            expect(value == "true", &format!("{:?}", all.flag));
            expect(value.starts_with('{'), &format!("{:?}", all.inner));
        }
        assert_eq!(serde_json::from_str::<All<'_>>("{}").unwrap(), All::default());
    }

    #[test]
    fn text_is_borrowed_where_it_can_be() {
        let all: All<'_> = serde_json::from_str(r#"{"text":"plain","inner":{"text":"a\nb"}}"#).unwrap();
        assert!(matches!(all.text, Field::Value(Cow::Borrowed("plain"))));
        let Field::Value(Object(inner)) = all.inner else { panic!("{:?}", all.inner) };
        assert!(matches!(inner.text, Field::Value(Cow::Owned(text)) if text == "a\nb"));
    }

    #[test]
    fn a_list_keeps_the_first_of_the_right_type() {
        let list = |json: &str| serde_json::from_str::<Field<List<u64, 2>>>(json).unwrap();
        assert_eq!(list(r#"[3,{"a":[]},"x",null,4,5,6]"#), Field::Value(List(vec![3, 4])));
        assert_eq!(list("[]"), Field::Value(List(vec![])));
        assert_eq!(list("{}"), Field::Absent);
    }
}
