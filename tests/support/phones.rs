//! Phones with OctoApp, as the printer sees them: their records in Moonraker's database, and the service that takes
//! pushes for them, with TLS.

use super::bed::Bed;
use super::http;
use super::push_service::PushService;
use serde_json::{Value, json};

/// The phones and their service.
#[derive(Debug)]
pub(crate) struct Phones(PushService);

impl Phones {
    /// Starts the service, on a port of its own. It lasts as long as the process.
    pub(crate) fn start() -> Self {
        Self(PushService::with_tls())
    }

    /// Its certificate's authority, as PEM.
    pub(crate) fn ca(&self) -> &str {
        self.0.ca()
    }

    /// The section that leads there from a machine that knows this one as `host`.
    pub(crate) fn section(&self, host: &str) -> String {
        format!("\n[octoapp]\nenabled: true\n{}", self.0.settings_at(host))
    }

    /// The address of the service, without a path.
    pub(crate) fn base(&self) -> String {
        self.0.base()
    }

    /// How many requests came so far, those for the configuration included.
    pub(crate) fn requests(&self) -> usize {
        self.0.requests()
    }

    /// Where pushes go, and where the service publishes what it is like.
    pub(crate) fn urls(&self) -> [String; 2] {
        let (send, config) = self.0.addresses();
        [send, config]
    }

    /// The records of an Android phone and of an iPhone with its Live Activity, by their tokens.
    pub(crate) fn records() -> [(&'static str, Value); 3] {
        [("android", "one"), ("ios:phone", "two"), ("activity:running", "two")]
            .map(|(token, instance)| (token, record(token, instance, json!({}))))
    }

    /// Writes these records, as the apps do.
    pub(crate) fn register(&self, bed: &Bed) {
        for (token, record) in Self::records() {
            store(bed, "octoapp", &format!("apps.{token}"), &record);
        }
    }

    /// The service answers pushes with this from now on; 200: as usual.
    pub(crate) fn refuse(&self, status: u16) {
        self.0.refuse(status);
    }

    /// These tokens are dead from now on.
    pub(crate) fn bury(&self, tokens: &[&str]) {
        self.0.bury(tokens);
    }

    /// The pushes so far.
    pub(crate) fn pushes(&self) -> Vec<Value> {
        self.0.pushes()
    }

    /// Whether an iPhone was told that the job is done.
    pub(crate) fn done(&self) -> bool {
        self.pushes().iter().any(|push| push["apnsData"]["content-state"]["state"] == "completed")
    }
}

/// A record as the app writes it, with these fields in the place of the usual ones.
fn record(token: &str, instance: &str, further: Value) -> Value {
    let mut record = json!({
        "fcmToken": token, "fcmTokenFallback": null, "instanceId": instance, "displayName": "A phone",
        "displayDescription": "", "model": "P1", "appVersion": "2.1", "appBuild": 117_140, "appLanguage": "de",
        "lastSeenAt": 1.5, "expireAt": null, "excludeNotifications": []
    });
    record.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    record
}

/// Writes a record as the app does it, with these fields in the place of the usual ones.
pub(crate) fn register(bed: &Bed, token: &str, instance: &str, further: Value) {
    store(bed, "octoapp", &format!("apps.{token}"), &record(token, instance, further));
}

/// Writes into Moonraker's database.
pub(crate) fn store(bed: &Bed, namespace: &str, key: &str, value: &Value) {
    let item = json!({"namespace": namespace, "key": key, "value": value}).to_string();
    let body = Some(("application/json", item.as_bytes()));
    let (status, answer) = http::request(bed.port(), "POST", "/server/database/item", body);
    assert_eq!(status, 200, "{answer}");
}
