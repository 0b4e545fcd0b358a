//! Settings of the whole program, read into their types: each wrong one is a problem, and its default counts.

use super::keys::{self, Key};
use super::lookup::Sources;
use super::origin::DEFAULT_COUNTS;
use super::{Problem, Sourced};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

/// Up to which age a picture shows the present, where it is never missed.
const USUAL_FRESH: Duration = Duration::from_secs(60);
/// Longest name of a printer.
const MOST_NAME: usize = 128;

/// Where the printer is seen from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceName {
    /// Its own Moonraker.
    Moonraker,
    /// The realtime feed of a server.
    Feed,
}

/// How the realtime feed is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedSettings {
    /// Its address, in which `{PRINTER_ID}` is not replaced yet.
    pub url: String,
    /// Shortest wait before it is connected again.
    pub reconnect_min: Duration,
    /// Longest wait before it is connected again.
    pub reconnect_max: Duration,
    /// It is connected again after so long without a picture; none: never.
    pub image_timeout: Option<Duration>,
    /// How often that is looked at.
    pub watchdog_tick: Duration,
}

/// Who may see the set-up page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PageFor {
    /// There is none.
    Nobody,
    /// Whoever comes through a web server on this machine.
    #[default]
    Proxy,
    /// Whoever reaches the REST server.
    Anyone,
}

/// Settings of the whole program.
#[derive(Debug, Clone, PartialEq)]
pub struct General {
    /// Where the printer is seen from.
    pub source: SourceName,
    /// The printer's name.
    pub printer_id: String,
    /// How the feed is kept.
    pub feed: FeedSettings,
    /// Name or uid of the camera; none: the first that fits.
    pub camera: Option<String>,
    /// Where the REST server listens; none: there is none.
    pub api: Option<SocketAddr>,
    /// Who may see the set-up page.
    pub page: PageFor,
    /// Names by which it is opened, besides those that are the printer's anyway.
    pub page_hosts: Vec<String>,
}

impl General {
    /// Up to which age a picture shows the present.
    pub fn fresh(&self) -> Duration {
        self.feed.image_timeout.unwrap_or(USUAL_FRESH)
    }

    /// Takes the setting of this name as it was `before`.
    pub(super) fn keep(&mut self, name: &str, before: &Self) {
        let (feed, old) = (&mut self.feed, &before.feed);
        if name == keys::SOURCE.name {
            self.source = before.source;
        } else if name == keys::PRINTER_ID.name {
            self.printer_id.clone_from(&before.printer_id);
        } else if name == keys::RECONNECT_MIN_SECONDS.name {
            feed.reconnect_min = old.reconnect_min;
        } else if name == keys::RECONNECT_MAX_SECONDS.name {
            feed.reconnect_max = old.reconnect_max;
        } else if name == keys::IMAGE_TIMEOUT_SECONDS.name {
            feed.image_timeout = old.image_timeout;
        } else if name == keys::WATCHDOG_TICK_SECONDS.name {
            feed.watchdog_tick = old.watchdog_tick;
        } else if name == keys::BIND.name || name == keys::PORT.name {
            self.api = before.api;
        } else if name == keys::PAGE.name {
            self.page = before.page;
        }
        self.feed.reconnect_max = self.feed.reconnect_max.max(self.feed.reconnect_min);
    }
}

impl Sources<'_> {
    pub(super) fn general(&mut self) -> General {
        let source = self.source();
        let printer_id = self.printer_id(source);
        let reconnect_min = self.seconds(keys::RECONNECT_MIN_SECONDS, 0.1, 3600.0);
        General {
            source,
            printer_id,
            feed: FeedSettings {
                // The source names a wrong one. The default is no way out: it is somebody else's printer.
                url: self.find(keys::WS_URL).map(|found| found.value).unwrap_or_default(),
                reconnect_min,
                reconnect_max: self.seconds(keys::RECONNECT_MAX_SECONDS, 0.1, 86_400.0).max(reconnect_min),
                image_timeout: Some(self.seconds(keys::IMAGE_TIMEOUT_SECONDS, 0.0, 86_400.0))
                    .filter(|time| !time.is_zero()),
                watchdog_tick: self
                    .seconds(keys::WATCHDOG_TICK_SECONDS, 0.0, 3600.0)
                    .max(Duration::from_secs(1)),
            },
            camera: self.find(keys::CAMERA).map(|found| found.value),
            api: self.api(),
            page: self.page(),
            page_hosts: self.find(keys::PAGE_HOSTS).map(|found| names(&found.value)).unwrap_or_default(),
        }
    }

    fn page(&mut self) -> PageFor {
        let read = |text: &str| match text.to_ascii_lowercase().as_str() {
            "proxy" => Some(PageFor::Proxy),
            "anyone" => Some(PageFor::Anyone),
            "nobody" => Some(PageFor::Nobody),
            _ => None,
        };
        self.typed(keys::PAGE, "it must be proxy, anyone or nobody", read).unwrap_or_default()
    }

    fn source(&mut self) -> SourceName {
        let usual = match self.runs_on_a_printer() || self.find(keys::MOONRAKER_URL).is_some() {
            true => SourceName::Moonraker,
            false => SourceName::Feed,
        };
        let Some(found) = self.find(keys::SOURCE) else { return usual };
        match found.value.to_ascii_lowercase().as_str() {
            "moonraker" => SourceName::Moonraker,
            "feed" | "websocket" => SourceName::Feed,
            _ => {
                self.refuse(keys::SOURCE, &found, "it must be moonraker or feed");
                usual
            }
        }
    }

    fn printer_id(&mut self, source: SourceName) -> String {
        let named = self.find(keys::PRINTER_ID);
        if let Some(found) = &named {
            if found.value.chars().count() <= MOST_NAME && !found.value.chars().any(char::is_control) {
                return found.value.clone();
            }
            self.refuse(keys::PRINTER_ID, found, "it must be at most 128 visible characters");
        }
        let host = || {
            let name = crate::whole_file::read_text(Path::new("/proc/sys/kernel/hostname"), 4096).ok()?;
            Some(name.trim().to_owned()).filter(|name| !name.is_empty())
        };
        match source {
            SourceName::Feed => "A1M-1".to_owned(),
            SourceName::Moonraker => host().unwrap_or_else(|| "printer".to_owned()),
        }
    }

    fn api(&mut self) -> Option<SocketAddr> {
        let address =
            self.typed(keys::BIND, "it must be an IP address", |text| text.parse::<IpAddr>().ok())?;
        let port = self.typed(keys::PORT, "it must be a number from 1 to 65535, or 0 for none", |text| {
            text.parse::<u16>().ok()
        })?;
        (port != 0).then(|| SocketAddr::new(address, port))
    }

    fn seconds(&mut self, key: Key, least: f64, most: f64) -> Duration {
        let rule = format!("it must be a number of seconds from {least} to {most}");
        let read = |text: &str| {
            let seconds: f64 = text.parse().ok()?;
            // A value below the least is taken as the least: people write 0 for "at once".
            (0.0..=most).contains(&seconds).then(|| Duration::from_secs_f64(seconds.max(least)))
        };
        self.typed(key, &rule, read).unwrap_or_default()
    }

    /// A value by its reader; a wrong one is a problem, and the default counts.
    fn typed<T>(&mut self, key: Key, rule: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let found = self.find(key)?;
        let value = read(&found.value);
        if value.is_none() {
            self.refuse(key, &found, rule);
        }
        value.or_else(|| read(key.default?))
    }

    fn refuse(&mut self, key: Key, found: &Sourced<String>, rule: &str) {
        let shown: String = super::hide::hide(&found.value).chars().take(60).collect();
        self.problems.push(Problem::new(
            format!("{} is `{shown}` ({})", key.name, found.origin),
            format!("{rule}; {DEFAULT_COUNTS}"),
        ));
        self.refused.push(key.name);
    }
}

/// The names of a list.
fn names(list: &str) -> Vec<String> {
    list.split([',', ' ', '\n']).map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
