//! Telegram as the vectors have it: it answers as planned, else with success, and remembers every request.

use octobridge::bridge::telegram::rehearsal::Server;
use serde_json::{Map, Value, json};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

/// A request that was made.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// When, in seconds since the start.
    pub(crate) t: f64,
    pub(crate) method: String,
    /// The text of a message or the caption of a picture.
    pub(crate) text: String,
    pub(crate) chat: Value,
    pub(crate) thread: Option<i64>,
    pub(crate) picture: Option<Vec<u8>>,
    /// The status of the answer; none where there was no answer.
    pub(crate) status: Option<u16>,
}

impl Request {
    /// Whether it is a text without a picture.
    pub(crate) fn is_text(&self) -> bool {
        self.method == "sendMessage"
    }

    pub(crate) fn is_done(&self) -> bool {
        self.status == Some(200)
    }
}

/// When the model was asked, and with which picture.
type Asked = Rc<RefCell<Vec<(f64, Vec<u8>)>>>;

/// The stand-in. Clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Chat {
    now: Rc<Cell<Duration>>,
    plan: Rc<RefCell<VecDeque<Value>>>,
    requests: Rc<RefCell<Vec<Request>>>,
    model: Rc<RefCell<VecDeque<Value>>>,
    asked: Asked,
}

impl Chat {
    /// With the time in `now`.
    pub(crate) fn new(now: Rc<Cell<Duration>>) -> Self {
        Self { now, ..Self::default() }
    }

    pub(crate) fn plan(&self, answers: &[Value]) {
        self.plan.borrow_mut().extend(answers.iter().cloned());
    }

    pub(crate) fn plan_model(&self, answers: &[Value]) {
        self.model.borrow_mut().extend(answers.iter().cloned());
    }

    /// When the model was asked, and about which picture.
    pub(crate) fn asked(&self) -> Vec<(f64, Vec<u8>)> {
        self.asked.borrow().clone()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.borrow().clone()
    }
}

impl Server for Chat {
    fn take(
        &mut self,
        method: &str,
        arguments: &Map<String, Value>,
        file: Option<&[u8]>,
    ) -> Option<(u16, Option<String>, Vec<u8>)> {
        let planned = self.plan.borrow_mut().pop_front().unwrap_or(json!({}));
        let answer = if planned == json!("drop") || planned.get("drop").is_some() {
            None
        } else {
            let status = planned["status"].as_u64().map_or(200, |status| u16::try_from(status).unwrap());
            let usual = json!({"ok": true, "result": {"message_id": self.requests.borrow().len() + 1}});
            let body = planned.get("body").unwrap_or(&usual).to_string().into_bytes();
            let body = planned["text"].as_str().map_or(body, |text| text.as_bytes().to_vec());
            let retry_after = planned["headers"]["Retry-After"].as_str().map(str::to_owned);
            Some((status, retry_after, body))
        };
        let field = |name: &str| arguments.get(name).cloned().unwrap_or_default();
        let text = [field("text"), field("caption")];
        self.requests.borrow_mut().push(Request {
            t: self.now.get().as_secs_f64(),
            method: method.to_owned(),
            text: text.iter().find_map(Value::as_str).unwrap_or_default().to_owned(),
            chat: field("chat_id"),
            thread: field("message_thread_id").as_i64(),
            picture: file.map(<[u8]>::to_vec),
            status: answer.as_ref().map(|(status, ..)| *status),
        });
        answer
    }

    fn ask(&self, question: &[u8], jpeg: &[u8]) -> Option<(u16, Option<String>, Vec<u8>)> {
        let question: Value = serde_json::from_slice(question).expect("a question is JSON");
        let image = question["messages"][1]["content"][1]["image_url"]["url"].as_str().unwrap();
        assert!(image.starts_with("data:image/jpeg;base64,"), "the picture is in the question");
        self.asked.borrow_mut().push((self.now.get().as_secs_f64(), jpeg.to_vec()));
        let clean = json!({"content": r#"{"has_defect": false, "confidence": 0.0, "summary": ""}"#});
        let planned = self.model.borrow_mut().pop_front().unwrap_or(clean);
        if planned == json!("drop") || planned.get("drop").is_some() {
            return None;
        }
        let status = planned["status"].as_u64().map_or(200, |status| u16::try_from(status).unwrap());
        let content =
            json!({"choices": [{"message": {"content": planned["content"]}, "finish_reason": "stop"}]});
        let body = planned.get("raw").unwrap_or(&content);
        let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        Some((status, planned["headers"]["Retry-After"].as_str().map(str::to_owned), body.into_bytes()))
    }
}
