//! The JSON of Moonraker, as far as it is used: requests as text, messages as borrowed types.

use super::MAX_MESSAGE;
use super::any::Any;
use super::lenient::Field;
use super::objects::Layout;
use serde::Deserialize;
use std::borrow::Cow;

/// A text that is borrowed from its message.
pub(super) type Text<'a> = Field<Cow<'a, str>>;

/// Jobs of the history that are asked for and kept.
pub(super) const JOBS: usize = 10;

/// A request, by what it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// `server.connection.identify`
    Identify,
    /// `server.info`
    ServerInfo,
    /// `printer.info`
    PrinterInfo,
    /// `printer.objects.subscribe`, of what can be asked at once.
    Subscribe,
    /// `printer.objects.list`
    ObjectsList,
    /// `printer.objects.subscribe`, of all that the list names.
    SubscribeAll,
    /// `printer.objects.query`
    Query,
    /// `server.history.list`
    History,
    /// `server.files.metadata`
    Metadata,
    /// `server.webcams.list`
    Webcams,
    /// `server.exception.query`, which only the vendor's Moonraker has.
    Faults,
}

impl Call {
    pub(super) fn method(self) -> &'static str {
        match self {
            Self::Identify => "server.connection.identify",
            Self::ServerInfo => "server.info",
            Self::PrinterInfo => "printer.info",
            Self::Subscribe | Self::SubscribeAll => "printer.objects.subscribe",
            Self::ObjectsList => "printer.objects.list",
            Self::Query => "printer.objects.query",
            Self::History => "server.history.list",
            Self::Metadata => "server.files.metadata",
            Self::Webcams => "server.webcams.list",
            Self::Faults => "server.exception.query",
        }
    }
}

/// The text of a request; `params` is the JSON of an object, or empty where there are none.
pub(super) fn request(call: Call, id: u64, params: &str) -> String {
    let method = call.method();
    let (name, params) = if params.is_empty() { ("", "") } else { (r#""params":"#, params) };
    let comma = if params.is_empty() { "" } else { "," };
    format!(r#"{{"jsonrpc":"2.0","method":"{method}",{name}{params}{comma}"id":{id}}}"#)
}

/// Parameters of `server.history.list`.
pub(super) fn newest_jobs() -> String {
    format!(r#"{{"limit":{JOBS},"order":"desc"}}"#)
}

/// Parameters of `printer.objects.subscribe` and `query`.
pub(super) fn of_objects(layout: &Layout) -> String {
    format!(r#"{{"objects":{}}}"#, layout.in_json())
}

/// Parameters of `server.connection.identify`.
pub(super) fn identity(version: &str, api_key: Option<&str>) -> String {
    #[derive(serde::Serialize)]
    struct Identity<'a> {
        client_name: &'a str,
        version: &'a str,
        r#type: &'a str,
        url: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        api_key: Option<&'a str>,
    }
    let identity = Identity {
        client_name: env!("CARGO_PKG_NAME"),
        version,
        r#type: "other",
        url: "https://example.invalid/octobridge",
        api_key,
    };
    serde_json::to_string(&identity).unwrap_or_else(|_| "{}".to_owned())
}

/// The error of a reply.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RpcError<'a> {
    code: Field<f64>,
    #[serde(borrow)]
    message: Text<'a>,
}

impl RpcError<'_> {
    /// Its number; 0 where there is none.
    pub(super) fn code(&self) -> i64 {
        #[expect(clippy::cast_possible_truncation, reason = "a number that is no code means nothing anyway")]
        let code = self.code.value().map_or(0, |code| code as i64);
        code
    }

    /// Its words, as they came.
    pub(super) fn message(&self) -> &str {
        match &self.message {
            Field::Value(text) => text,
            _ => "",
        }
    }

    /// The numbers stand for several things; the message tells them apart (measured with Moonraker 0.11).
    pub(super) fn is_unauthorized(&self) -> bool {
        let unauthorized = matches!(&self.message, Field::Value(text) if text.contains("Unauthorized"));
        self.code == Field::Value(401.0) || (self.code == Field::Value(-32602.0) && unauthorized)
    }

    /// For people: one line, never a trace.
    pub(super) fn in_words(&self) -> String {
        let message = match &self.message {
            Field::Value(text) => clip(text.lines().next().unwrap_or_default(), 200),
            _ => String::new(),
        };
        match self.code {
            Field::Value(code) => format!("error {code} {message:?}"),
            _ => format!("error {message:?}"),
        }
    }
}

/// First parameter of a notification, where that is an object.
pub(super) fn parameter(message: &[u8]) -> Option<Any<'_>> {
    first_parameter(message).filter(|first| matches!(first, Any::Object(_)))
}

/// Text of a `notify_gcode_response`.
pub(super) fn console(message: &[u8]) -> Option<Cow<'_, str>> {
    match first_parameter(message) {
        Some(Any::Text(text)) => Some(text),
        _ => None,
    }
}

fn first_parameter(message: &[u8]) -> Option<Any<'_>> {
    match Any::read(message).take("params") {
        Any::List(parameters) => parameters.into_iter().next(),
        _ => None,
    }
}

/// Result of a reply, where that is an object; null where not.
pub(super) fn result(message: &[u8]) -> Any<'_> {
    match Any::read(message).take("result") {
        result @ Any::Object(_) => result,
        _ => Any::Null,
    }
}

/// At most `limit` bytes of a text that others wrote.
pub(super) fn clipped(text: &str, limit: usize) -> &str {
    debug_assert!(limit < MAX_MESSAGE, "a limit that limits nothing");
    let end = (0..=limit.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// The same, kept.
pub(super) fn clip(text: &str, limit: usize) -> String {
    clipped(text, limit).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn every_request_is_valid_and_names_its_method() {
        let identity = identity("1.0", Some("a\"b"));
        let objects = of_objects(&Layout::default());
        let jobs = newest_jobs();
        for (call, params) in [
            (Call::Identify, identity.as_str()),
            (Call::ServerInfo, ""),
            (Call::PrinterInfo, ""),
            (Call::Subscribe, &objects),
            (Call::ObjectsList, ""),
            (Call::SubscribeAll, &objects),
            (Call::Query, &objects),
            (Call::History, &jobs),
            (Call::Metadata, r#"{"filename":"a"}"#),
            (Call::Webcams, ""),
            (Call::Faults, ""),
        ] {
            let request: Value = serde_json::from_str(&request(call, 7, params)).unwrap();
            assert_eq!((&request["jsonrpc"], &request["id"]), (&Value::from("2.0"), &Value::from(7)));
            assert_eq!(request["method"], call.method());
            assert_eq!(request["params"].is_object(), !params.is_empty(), "{request}");
        }
    }

    #[test]
    fn the_api_key_goes_into_identify_only_when_there_is_one() {
        let without: Value = serde_json::from_str(&identity("1.0", None)).unwrap();
        assert_eq!(without.get("api_key"), None);
        for required in ["client_name", "version", "type", "url"] {
            assert!(without[required].is_string(), "{required}");
        }
        let with: Value = serde_json::from_str(&identity("1.0", Some("a\"b"))).unwrap();
        assert_eq!(with["api_key"], "a\"b");
    }

    #[test]
    fn errors_are_told_in_one_line_and_told_apart() {
        for (error, unauthorized, words) in [
            (r#"{"code":-32602,"message":"Unauthorized"}"#, true, "error -32602 \"Unauthorized\""),
            (r#"{"code":-32602,"message":"Invalid params"}"#, false, "error -32602 \"Invalid params\""),
            (r#"{"code":401,"message":"no"}"#, true, "error 401 \"no\""),
            (r#"{"code":400,"message":"first\nsecond","traceback":"x"}"#, false, "error 400 \"first\""),
            (r#"{"code":"x"}"#, false, "error \"\""),
        ] {
            let error: RpcError<'_> = serde_json::from_str(error).unwrap();
            assert_eq!(error.is_unauthorized(), unauthorized, "{words}");
            assert_eq!(error.in_words(), words);
        }
    }

    #[test]
    fn results_and_parameters_of_another_shape_are_none() {
        for message in ["{}", r#"{"result":"ok","params":3}"#, r#"{"result":[],"params":[]}"#, "3", "[", ""] {
            assert_eq!(result(message.as_bytes()), Any::Null, "{message}");
            assert!(parameter(message.as_bytes()).is_none(), "{message}");
            assert!(console(message.as_bytes()).is_none(), "{message}");
        }
    }

    #[test]
    fn clipping_keeps_whole_characters() {
        assert_eq!(clip("aüb", 2), "a");
        assert_eq!(clip("aüb", 3), "aü");
        assert_eq!(clip("aüb", 9), "aüb");
    }
}
