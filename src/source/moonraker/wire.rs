//! The JSON of Moonraker, as far as it is used: requests as text, messages as borrowed types.

use super::MAX_MESSAGE;
use super::lenient::{Field, List, Object};
use serde::Deserialize;
use std::borrow::Cow;

type Text<'a> = Field<Cow<'a, str>>;

/// Objects and fields that are asked for. Without those that change with every update for nothing
/// (`toolhead.estimated_print_time`).
const OBJECTS: &str = concat!(
    r#"{"webhooks":["state","state_message"],"#,
    r#""print_stats":["state","filename","message","total_duration","print_duration","info"],"#,
    r#""virtual_sdcard":["progress","file_position"],"#,
    r#""display_status":["progress","message"]}"#
);

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
    /// `printer.objects.subscribe`
    Subscribe,
    /// `printer.objects.query`
    Query,
    /// `server.history.list`
    History,
}

impl Call {
    pub(super) fn method(self) -> &'static str {
        match self {
            Self::Identify => "server.connection.identify",
            Self::ServerInfo => "server.info",
            Self::PrinterInfo => "printer.info",
            Self::Subscribe => "printer.objects.subscribe",
            Self::Query => "printer.objects.query",
            Self::History => "server.history.list",
        }
    }
}

/// The text of a request; `identity` is what [`Call::Identify`] sends as parameters.
pub(super) fn request(call: Call, id: u64, identity: &str) -> String {
    let method = call.method();
    match call {
        Call::Identify => format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{identity},"id":{id}}}"#),
        Call::ServerInfo | Call::PrinterInfo => {
            format!(r#"{{"jsonrpc":"2.0","method":"{method}","id":{id}}}"#)
        }
        Call::Subscribe | Call::Query => {
            format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{{"objects":{OBJECTS}}},"id":{id}}}"#)
        }
        Call::History => {
            format!(
                r#"{{"jsonrpc":"2.0","method":"{method}","params":{{"limit":{JOBS},"order":"desc"}},"id":{id}}}"#
            )
        }
    }
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

/// What a message is, read first.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Head<'a> {
    /// Of a notification or request.
    #[serde(borrow)]
    pub(super) method: Text<'a>,
    /// Of a reply.
    pub(super) id: Field<u64>,
    /// Of a failed reply.
    #[serde(borrow)]
    pub(super) error: Field<Object<RpcError<'a>>>,
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

/// `params` of a notification, of which only the first is used.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct Notification<T> {
    #[serde(default = "absent")]
    params: Field<List<Object<T>, 1>>,
}

/// A reply's `result`, where that is an object.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct Reply<T> {
    #[serde(default = "absent")]
    result: Field<Object<T>>,
}

fn absent<T>() -> Field<T> {
    Field::Absent
}

/// First parameter of a notification.
pub(super) fn parameter<'a, T: Deserialize<'a>>(message: &'a [u8]) -> Option<T> {
    let notification: Notification<T> = serde_json::from_slice(message).ok()?;
    notification.params.value()?.0.pop().map(|Object(first)| first)
}

/// Result of a reply.
pub(super) fn result<'a, T: Deserialize<'a>>(message: &'a [u8]) -> Option<T> {
    let reply: Reply<T> = serde_json::from_slice(message).ok()?;
    reply.result.value().map(|Object(result)| result)
}

/// Result of `server.info`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ServerInfo<'a> {
    pub(super) klippy_connected: Field<bool>,
    #[serde(borrow)]
    pub(super) klippy_state: Text<'a>,
    #[serde(borrow)]
    pub(super) moonraker_version: Text<'a>,
}

/// Result of `printer.info`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PrinterInfo<'a> {
    #[serde(borrow)]
    pub(super) state_message: Text<'a>,
}

/// Result of `printer.objects.subscribe` and `query`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Objects<'a> {
    #[serde(borrow)]
    pub(super) status: Field<Object<Status<'a>>>,
}

/// Printer objects: all of them, or what changed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status<'a> {
    #[serde(borrow)]
    pub(super) webhooks: Field<Object<Webhooks<'a>>>,
    #[serde(borrow)]
    pub(super) print_stats: Field<Object<PrintStats<'a>>>,
    pub(super) virtual_sdcard: Field<Object<VirtualSdcard>>,
    #[serde(borrow)]
    pub(super) display_status: Field<Object<DisplayStatus<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Webhooks<'a> {
    #[serde(borrow)]
    pub(super) state: Text<'a>,
    #[serde(borrow)]
    pub(super) state_message: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PrintStats<'a> {
    #[serde(borrow)]
    pub(super) state: Text<'a>,
    #[serde(borrow)]
    pub(super) filename: Text<'a>,
    #[serde(borrow)]
    pub(super) message: Text<'a>,
    pub(super) total_duration: Field<f64>,
    pub(super) print_duration: Field<f64>,
    pub(super) info: Field<Object<LayerInfo>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LayerInfo {
    pub(super) total_layer: Field<u64>,
    pub(super) current_layer: Field<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct VirtualSdcard {
    pub(super) progress: Field<f64>,
    pub(super) file_position: Field<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DisplayStatus<'a> {
    pub(super) progress: Field<f64>,
    #[serde(borrow)]
    pub(super) message: Text<'a>,
}

/// Result of `server.history.list`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct HistoryList<'a> {
    #[serde(borrow)]
    pub(super) jobs: Field<List<Object<HistoryJob<'a>>, JOBS>>,
}

/// Parameter of `notify_history_changed`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct HistoryChange<'a> {
    #[serde(borrow)]
    pub(super) job: Field<Object<HistoryJob<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct HistoryJob<'a> {
    #[serde(borrow)]
    pub(super) job_id: Text<'a>,
    #[serde(borrow)]
    pub(super) filename: Text<'a>,
    #[serde(borrow)]
    pub(super) status: Text<'a>,
    pub(super) start_time: Field<f64>,
    pub(super) end_time: Field<f64>,
    pub(super) total_duration: Field<f64>,
    pub(super) metadata: Field<Object<Metadata>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    pub(super) gcode_start_byte: Field<u64>,
    pub(super) gcode_end_byte: Field<u64>,
    pub(super) estimated_time: Field<f64>,
}

/// At most `limit` bytes of a text that others wrote.
pub(super) fn clip(text: &str, limit: usize) -> String {
    debug_assert!(limit < MAX_MESSAGE, "a limit that limits nothing");
    let end = (0..=limit.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn every_request_is_valid_and_names_its_method() {
        let calls = [
            Call::Identify,
            Call::ServerInfo,
            Call::PrinterInfo,
            Call::Subscribe,
            Call::Query,
            Call::History,
        ];
        for (id, call) in (1..).zip(calls) {
            let request: Value =
                serde_json::from_str(&request(call, id, &identity("1.0", Some("a\"b")))).unwrap();
            assert_eq!(request["jsonrpc"], "2.0");
            assert_eq!(request["method"], call.method());
            assert_eq!(request["id"], id);
            assert!(request["params"].is_object() || request["params"].is_null(), "{request}");
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
            assert!(result::<Objects<'_>>(message.as_bytes()).is_none(), "{message}");
            assert!(parameter::<Status<'_>>(message.as_bytes()).is_none(), "{message}");
        }
    }

    #[test]
    fn clipping_keeps_whole_characters() {
        assert_eq!(clip("aüb", 2), "a");
        assert_eq!(clip("aüb", 3), "aü");
        assert_eq!(clip("aüb", 9), "aüb");
    }
}
