//! A JSON value of any shape, for the messages that come seldom: one reader for all of them is small, and takes
//! whatever a vendor made of them.

use super::lenient::{Field, skip_map, skip_seq};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Most values that are kept of a message; the rest is skipped. The greatest list is that of the printer's objects.
const MAX_VALUES: usize = 4096;

/// A value, borrowed from its message.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Any<'a> {
    /// `null`, and what is not there.
    #[default]
    Null,
    Flag(bool),
    Number(f64),
    Text(Cow<'a, str>),
    List(Vec<Any<'a>>),
    Object(Vec<(Cow<'a, str>, Any<'a>)>),
}

impl<'a> Any<'a> {
    /// Reads a message; what is no JSON is null.
    pub(super) fn read(message: &'a [u8]) -> Self {
        let mut room = MAX_VALUES;
        let mut deserializer = serde_json::Deserializer::from_slice(message);
        Within(&mut room).deserialize(&mut deserializer).unwrap_or_default()
    }

    /// The field of that name; null where there is none.
    pub(super) fn get(&self, name: &str) -> &Self {
        let Self::Object(fields) = self else { return &Self::Null };
        fields.iter().find(|(field, _)| field == name).map_or(&Self::Null, |(_, value)| value)
    }

    /// The same, taken out.
    pub(super) fn take(&mut self, name: &str) -> Self {
        let Self::Object(fields) = self else { return Self::Null };
        let found = fields.iter_mut().find(|(field, _)| field == name);
        found.map(|(_, value)| std::mem::take(value)).unwrap_or_default()
    }

    /// The elements, where it is a list.
    pub(super) fn items(&self) -> Option<&[Self]> {
        if let Self::List(items) = self { Some(items) } else { None }
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    pub(super) fn flag(&self) -> Option<bool> {
        if let Self::Flag(flag) = self { Some(*flag) } else { None }
    }

    /// A whole number from 0 on, for counts of bytes.
    pub(super) fn whole(&self) -> Option<u64> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the bounds")]
        self.number().filter(|number| (0.0..=9e15).contains(number)).map(|number| number as u64)
    }

    /// The same, for numbers of things.
    pub(super) fn count(&self) -> Option<u32> {
        self.whole().and_then(|number| u32::try_from(number).ok())
    }
}

/// Reads a value while there is room.
struct Within<'r>(&'r mut usize);

impl<'de> DeserializeSeed<'de> for Within<'_> {
    type Value = Any<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Any<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Within<'_> {
    type Value = Any<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Any<'de>, E> {
        Ok(Any::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Any<'de>, E> {
        Ok(Any::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Any<'de>, E> {
        Ok(Any::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Any<'de>, E> {
        #[expect(clippy::cast_precision_loss, reason = "numbers of a printer stay below 2^53")]
        Ok(Any::Number(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Any<'de>, E> {
        #[expect(clippy::cast_precision_loss, reason = "numbers of a printer stay below 2^53")]
        Ok(Any::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Any<'de>, E> {
        Ok(if number.is_finite() { Any::Number(number) } else { Any::Null })
    }

    fn visit_unit<E>(self) -> Result<Any<'de>, E> {
        Ok(Any::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Any<'de>, A::Error> {
        let mut items = Vec::new();
        while *self.0 > 0 {
            let Some(item) = seq.next_element_seed(Within(self.0))? else { return Ok(Any::List(items)) };
            *self.0 = self.0.saturating_sub(1);
            items.push(item);
        }
        skip_seq(seq)?;
        Ok(Any::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Any<'de>, A::Error> {
        let mut fields = Vec::new();
        while *self.0 > 0 {
            let Some(name) = map.next_key::<Field<Cow<'de, str>>>()? else { return Ok(Any::Object(fields)) };
            let value = map.next_value_seed(Within(self.0))?;
            *self.0 = self.0.saturating_sub(1);
            fields.extend(name.value().map(|name| (name, value)));
        }
        skip_map(map)?;
        Ok(Any::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_found_by_name_and_type() {
        let mut any =
            Any::read(br#"{"a":{"text":"x\n","n":-1.5,"n2":7,"big":1e18},"list":[1,"2",null,true],"a":3}"#);
        assert_eq!(any.get("a").get("text").text(), Some("x\n"));
        assert_eq!(any.get("a").get("n").number(), Some(-1.5));
        assert_eq!((any.get("a").get("n").whole(), any.get("a").get("big").whole()), (None, None));
        assert_eq!((any.get("a").get("n2").whole(), any.get("a").get("n2").count()), (Some(7), Some(7)));
        let items = any.get("list").items().unwrap();
        assert_eq!(
            (items.len(), items[0].text(), items[1].number(), items[3].flag()),
            (4, None, None, Some(true))
        );
        assert_eq!(any.get("b").get("c"), &Any::Null);
        assert!(any.take("list").items().is_some());
        assert_eq!((any.take("list"), any.take("b")), (Any::Null, Any::Null));
        assert_eq!((Any::read(b"{"), Any::read(b"[1e999]")), (Any::Null, Any::Null));
    }

    fn values(any: &Any<'_>) -> usize {
        1 + match any {
            Any::List(items) => items.iter().map(values).sum(),
            Any::Object(fields) => fields.iter().map(|(_, value)| values(value)).sum(),
            _ => 0,
        }
    }

    #[test]
    fn no_message_takes_more_room_than_there_is() {
        let depth = "[".repeat(100) + &"]".repeat(100);
        for message in [
            format!("[{}0]", "0,".repeat(100_000)),
            format!("[{}0]", "[0,{\"a\":[]}],".repeat(50_000)),
            format!("[{}0]", format!("{depth},").repeat(500)),
        ] {
            let count = values(&Any::read(message.as_bytes()));
            // What was begun when the room ran out is kept.
            assert!((MAX_VALUES / 2..MAX_VALUES + 130).contains(&count), "{count}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            Any::read(&bytes);
        }
    }
}
