//! What a message is, read first; a status update is read whole on the way, since it comes four times a second.

use super::lenient::{Field, First, Inside, Key, Object, Reader, With};
use super::objects::{Known, Status};
use super::wire::{RpcError, Text};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::fmt;

/// What a message is, read first.
#[derive(Debug, Default)]
pub(super) struct Head<'a> {
    /// Of a notification or request.
    pub(super) method: Text<'a>,
    /// Of a reply.
    pub(super) id: Field<u64>,
    /// Of a failed reply.
    pub(super) error: Field<Object<RpcError<'a>>>,
}

/// Name of the notification that comes four times a second.
pub(super) const STATUS_UPDATE: &str = "notify_status_update";

/// Reads a message's head. The objects of a status update go into `known` on the way, so that it is read once.
pub(super) fn head<'a>(message: &'a [u8], known: &mut Known) -> Result<Head<'a>, serde_json::Error> {
    let mut head = Head::default();
    let mut read = false;
    let mut deserializer = serde_json::Deserializer::from_slice(message);
    HeadReader { head: &mut head, known, read: &mut read }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    if !read && matches!(&head.method, Field::Value(method) if method == STATUS_UPDATE) {
        // The parameters came before the method.
        read_into(message, Inside("params", First(Status(known))))?;
    }
    Ok(head)
}

/// Reads the objects in the result of `printer.objects.subscribe` and `query` into `known`.
pub(super) fn objects(message: &[u8], known: &mut Known) {
    // It was read once: it is JSON.
    let _ = read_into(message, Inside("result", Inside("status", Status(known))));
}

fn read_into<'a>(message: &'a [u8], reader: impl Reader<'a>) -> Result<(), serde_json::Error> {
    With(reader).deserialize(&mut serde_json::Deserializer::from_slice(message))
}

struct HeadReader<'h, 'a> {
    head: &'h mut Head<'a>,
    known: &'h mut Known,
    /// Whether a status update was read.
    read: &'h mut bool,
}

#[derive(Clone, Copy)]
enum Part {
    Method,
    Params,
    Id,
    Error,
    Other,
}

impl<'de> DeserializeSeed<'de> for HeadReader<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for HeadReader<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message of JSON-RPC")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let part = |name: &str| match name {
            "method" => Part::Method,
            "params" => Part::Params,
            "id" => Part::Id,
            "error" => Part::Error,
            _ => Part::Other,
        };
        while let Some(part) = map.next_key_seed(Key(part))? {
            match part {
                Part::Method => self.head.method = map.next_value()?,
                Part::Id => self.head.id = map.next_value()?,
                Part::Error => self.head.error = map.next_value()?,
                Part::Params if matches!(&self.head.method, Field::Value(method) if method == STATUS_UPDATE) =>
                {
                    *self.read = true;
                    map.next_value_seed(With(First(Status(self.known))))?;
                }
                Part::Params | Part::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_update_is_read_in_whatever_order_it_comes() {
        let state = r#"[{"print_stats":{"state":"printing"}},1.0]"#;
        for message in [
            format!(r#"{{"jsonrpc":"2.0","method":"notify_status_update","params":{state}}}"#),
            format!(r#"{{"params":{state},"id":null,"method":"notify_status_update","jsonrpc":"2.0"}}"#),
        ] {
            let mut known = Known::default();
            head(message.as_bytes(), &mut known).unwrap();
            assert!(known.print_state().is_some(), "{message}");
        }
        for message in [
            format!(r#"{{"method":"notify_other","params":{state}}}"#),
            format!(r#"{{"params":{state}}}"#),
            r#"{"method":"notify_status_update","params":{"print_stats":{"state":"printing"}}}"#.to_owned(),
            r#"{"method":"notify_status_update","params":[[],{"print_stats":{"state":"printing"}}]}"#
                .to_owned(),
        ] {
            let mut known = Known::default();
            head(message.as_bytes(), &mut known).unwrap();
            assert!(known.print_state().is_none(), "{message}");
        }
    }
}
