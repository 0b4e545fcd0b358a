//! What an order to download asks for.

use super::cipher::{Key, from_hex};
use super::origin::Origin;
use crate::bridge::prusa_connect::connect::order::Order;
use crate::bridge::prusa_connect::files::commands::path_of;
use crate::bridge::prusa_connect::files::path::Place;
use serde_json::Value;

/// Longest address, in bytes.
const MOST_URL: usize = 2048;

/// What is to be fetched, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Download {
    /// The transfer.
    pub(crate) id: u32,
    /// Where from.
    pub(crate) url: String,
    /// Where to, in the root.
    pub(crate) path: String,
    /// In which form.
    pub(crate) how: How,
}

/// In which form a file comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum How {
    /// As it is.
    Plain,
    /// Encrypted, over plain HTTP and without credentials.
    Encrypted {
        /// What decrypts it.
        key: Key,
        /// Size of the file, in bytes; what comes is filled up to whole blocks.
        size: u64,
    },
}

/// An order that was understood.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) kind: &'static str,
    pub(super) path: String,
    pub(super) url: String,
    pub(super) to_print: bool,
    pub(super) how: How,
}

/// Understands an order; the error says what is wrong with it.
pub(super) fn read(order: &Order, place: &Place, server: &str) -> Result<Asked, String> {
    let path = path_of(order, |path| place.new_file(path))?.to_owned();
    let to_print = order.kwargs.get("printing").and_then(Value::as_bool).unwrap_or(false);
    let (kind, url, how) = match order.name.as_str() {
        "START_URL_DOWNLOAD" => ("FROM_WEB", text(order, "url")?.to_owned(), How::Plain),
        "START_CONNECT_DOWNLOAD" => {
            let team = whole(order, "team_id")?;
            let hash = text(order, "hash")?;
            ("FROM_CONNECT", format!("{server}/p/teams/{team}/files/{hash}/raw"), How::Plain)
        }
        "START_ENCRYPTED_DOWNLOAD" => {
            let (url, how) = encrypted(order, server)?;
            ("FROM_CONNECT", url, how)
        }
        name => return Err(format!("{name} is no download that this printer knows")),
    };
    if url.len() > MOST_URL {
        return Err(format!("the address is longer than {MOST_URL} bytes"));
    }
    Origin::of(&url).ok_or("the address is none of http or https")?;
    Ok(Asked { kind, path, url, to_print, how })
}

fn encrypted(order: &Order, server: &str) -> Result<(String, How), String> {
    let digits = |name| from_hex(text(order, name)?).ok_or_else(|| format!("{name} must be 32 hex digits"));
    let (key, vector) = (digits("key")?, digits("iv")?);
    let size = whole(order, "orig_size")?;
    if size == 0 {
        return Err("the file is empty".to_owned());
    }
    let origin = Origin::of(server).ok_or("the address of Connect is not set up")?;
    let port = match order.kwargs.get("port").filter(|port| !port.is_null()) {
        Some(port) => port.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0),
        // What is encrypted by itself needs no TLS.
        None if origin.tls && origin.port == 443 => Some(80),
        None => Some(origin.port),
    };
    let port = port.ok_or("port must be from 1 to 65535")?;
    let iv = text(order, "iv")?.to_ascii_lowercase();
    Ok((
        format!("http://{}:{port}/f/{iv}/raw", origin.host),
        How::Encrypted { key: Key::new(key, vector), size },
    ))
}

fn text<'o>(order: &'o Order, name: &str) -> Result<&'o str, String> {
    let value = order.kwargs.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    value.ok_or_else(|| format!("{} needs {name}", order.name))
}

/// A whole number, be it written as text.
fn whole(order: &Order, name: &str) -> Result<u64, String> {
    let value = order.kwargs.get(name);
    let number = value.and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()));
    number.ok_or_else(|| format!("{} needs {name}, a whole number", order.name))
}
