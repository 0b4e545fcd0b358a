//! Which of the printer's cameras is asked, and where.

use super::address::Address;
use super::orientation::Orientation;
use crate::printer::Webcam;
use std::fmt::Write as _;
use std::sync::Arc;

/// Where the vendor's own camera service leaves its picture, below Moonraker's address.
pub(super) const STOCK_PATH: &str = "/server/files/camera/monitor.jpg";
/// What the vendor's own camera is called where the printer's list does not name it.
const STOCK_NAME: &str = "stock camera";
/// How a picture's address follows from a stream's.
const DERIVED: [(&str, &str); 2] = [("action=stream", "action=snapshot"), ("stream.mjpg", "snapshot.jpg")];
/// Most names that an error lists.
const MOST_NAMES: usize = 8;

/// Why there is no camera to ask.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCamera {
    /// The printer has not told yet.
    #[error("the printer has not told yet which cameras it has")]
    NotYet,
    /// The printer's list is empty, and there is no stock camera to ask.
    #[error("the printer lists no camera; add one in the web interface, under its camera settings")]
    Empty,
    /// The configured one is not there.
    #[error("the printer lists no camera \"{wanted}\" (it lists {listed}); correct the name")]
    NotListed {
        /// Name or identity, as configured.
        wanted: Arc<str>,
        /// The names that are listed.
        listed: Arc<str>,
    },
    /// Every one is switched off.
    #[error("every camera of the printer's list is switched off; switch one on in the web interface")]
    Off,
    /// None of those that count has an address that can be asked.
    #[error(
        "no camera of the printer's list has an http or https address; enter the address of its snapshot in the web interface"
    )]
    NoAddress,
}

/// Where a camera's picture comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// An address: a picture, or a stream of which one picture is taken.
    Url(Address),
    /// The vendor's service: it must be asked for pictures first, then there is one at this address.
    Stock(Address),
}

impl Source {
    /// The address that is asked.
    pub(super) fn address(&self) -> &Address {
        match self {
            Self::Url(address) | Self::Stock(address) => address,
        }
    }
}

/// The camera to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) name: Arc<str>,
    pub(super) source: Source,
    pub(super) orientation: Orientation,
}

/// How to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// Name or identity of the camera to use; none: the first that can be used.
    pub(super) wanted: Option<Arc<str>>,
    /// Address of the printer's web server.
    pub(super) web: String,
    /// Address of Moonraker's HTTP server.
    pub(super) moonraker: String,
    /// Whether the vendor's service can be asked.
    pub(super) stock: bool,
}

impl Choice {
    /// Chooses out of the printer's list. What kind of service an entry names does not matter: many that are made
    /// for streams have an address for pictures as well.
    pub(super) fn of(&self, webcams: &[Webcam]) -> Result<Chosen, NoCamera> {
        if let Some(wanted) = &self.wanted {
            let is_it = |webcam: &&Webcam| {
                webcam.name == *wanted || webcam.uid.as_deref().is_some_and(|uid| uid == &**wanted)
            };
            // Whoever names a camera wants it, also one that is switched off in the web interface.
            let webcam = webcams.iter().find(is_it).ok_or_else(|| NoCamera::NotListed {
                wanted: Arc::clone(wanted),
                listed: names(webcams).into(),
            })?;
            return self.first(&[webcam]);
        }
        if webcams.is_empty() {
            let orientation = Orientation::of(0, false, false);
            let stock = Chosen { name: STOCK_NAME.into(), source: self.stock_source(), orientation };
            return self.stock.then_some(stock).ok_or(NoCamera::Empty);
        }
        let enabled: Vec<&Webcam> = webcams.iter().filter(|webcam| webcam.enabled).collect();
        if enabled.is_empty() {
            return Err(NoCamera::Off);
        }
        self.first(&enabled)
    }

    /// The first with an address for pictures, else the first with one that follows from its stream's, else the
    /// first with a stream.
    fn first(&self, webcams: &[&Webcam]) -> Result<Chosen, NoCamera> {
        let rules: [fn(&Self, &Webcam) -> Option<Address>; 3] = [
            |choice, webcam| Address::read(&webcam.snapshot_url, &choice.web),
            |choice, webcam| {
                let stream = Address::read(&webcam.stream_url, &choice.web)?;
                DERIVED.iter().find_map(|(part, by)| stream.replaced(part, by))
            },
            |choice, webcam| Address::read(&webcam.stream_url, &choice.web),
        ];
        for rule in rules {
            for webcam in webcams {
                let Some(address) = rule(self, webcam) else { continue };
                let turned = Orientation::of(webcam.rotation, webcam.flip_horizontal, webcam.flip_vertical);
                let source = if self.is_stock(&address) { self.stock_source() } else { Source::Url(address) };
                return Ok(Chosen { name: Arc::clone(&webcam.name), source, orientation: turned });
            }
        }
        Err(NoCamera::NoAddress)
    }

    fn stock_source(&self) -> Source {
        Source::Stock(Address::below(&self.moonraker, STOCK_PATH))
    }

    /// The vendor's firmware may list its service's picture as a camera like any other; without being asked for
    /// pictures the service would leave an old one there.
    fn is_stock(&self, address: &Address) -> bool {
        let path_on = |base: &str| {
            let path = address.reveal().strip_prefix(base.trim_end_matches('/'))?;
            path.split(['?', '#']).next()
        };
        self.stock && [&self.web, &self.moonraker].into_iter().any(|base| path_on(base) == Some(STOCK_PATH))
    }
}

/// The names of a list, for people.
fn names(webcams: &[Webcam]) -> String {
    if webcams.is_empty() {
        return "none".to_owned();
    }
    let mut names = String::new();
    for webcam in webcams.iter().take(MOST_NAMES) {
        let comma = if names.is_empty() { "" } else { ", " };
        let _ = write!(names, "{comma}\"{}\"", webcam.name);
    }
    if webcams.len() > MOST_NAMES {
        names.push_str(", …");
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webcam(name: &str, snapshot: &str, stream: &str) -> Webcam {
        Webcam {
            name: name.into(),
            uid: Some(format!("uid-{name}").into()),
            enabled: true,
            snapshot_url: snapshot.into(),
            stream_url: stream.into(),
            ..Webcam::default()
        }
    }

    fn off(webcam: Webcam) -> Webcam {
        Webcam { enabled: false, ..webcam }
    }

    fn choose(wanted: Option<&str>, stock: bool, webcams: &[Webcam]) -> Result<String, NoCamera> {
        let wanted = wanted.map(Arc::from);
        let (web, moonraker) = ("http://printer".to_owned(), "http://printer:7125".to_owned());
        let chosen = Choice { wanted, web, moonraker, stock }.of(webcams)?;
        Ok(match chosen.source {
            Source::Url(address) => format!("{}: {}", chosen.name, address.reveal()),
            Source::Stock(address) => {
                assert_eq!(address.reveal(), "http://printer:7125/server/files/camera/monitor.jpg");
                format!("{}: stock", chosen.name)
            }
        })
    }

    #[test]
    fn the_first_that_can_be_asked_is_chosen() {
        let a = || webcam("a", "", "http://a/?action=stream&q=1");
        let b = || webcam("b", "/b.jpg", "");
        let c = || webcam("c", "http://c/c.jpg", "/c/stream.mjpg");
        let rtsp = || webcam("r", "rtsp://r/1", "rtsp://r/2");
        let table: &[(&[Webcam], &str)] = &[
            (&[b(), c()], "b: http://printer/b.jpg"),
            (&[a(), rtsp(), c(), b()], "c: http://c/c.jpg"),
            (&[a(), off(b())], "a: http://a/?action=snapshot&q=1"),
            (&[webcam("d", "rtsp://d/1", "/d/stream.mjpg")], "d: http://printer/d/snapshot.jpg"),
            (&[webcam("e", " ", "/e/mjpeg")], "e: http://printer/e/mjpeg"),
            (&[webcam("e", "", "/e/mjpeg"), a()], "a: http://a/?action=snapshot&q=1"),
        ];
        for (webcams, expected) in table {
            assert_eq!(choose(None, true, webcams).as_deref(), Ok(*expected), "{webcams:?}");
        }
        assert_eq!(choose(None, true, &[off(b()), off(c())]), Err(NoCamera::Off));
        assert_eq!(choose(None, true, &[rtsp(), webcam("n", "", "")]), Err(NoCamera::NoAddress));
    }

    #[test]
    fn a_configured_one_is_chosen_by_name_or_identity() {
        let list = [webcam("a", "/a", ""), off(webcam("b", "/b", "")), webcam("r", "rtsp://r", "")];
        assert_eq!(choose(Some("b"), false, &list).as_deref(), Ok("b: http://printer/b"));
        assert_eq!(choose(Some("uid-b"), false, &list).as_deref(), Ok("b: http://printer/b"));
        assert_eq!(choose(Some("r"), false, &list), Err(NoCamera::NoAddress));
        let missing = choose(Some("B"), true, &list).unwrap_err().to_string();
        assert!(missing.contains("\"B\"") && missing.contains("\"a\", \"b\", \"r\""), "{missing}");
        let none = choose(Some("B"), true, &[]).unwrap_err().to_string();
        assert!(none.contains("it lists none"), "{none}");
    }

    #[test]
    fn the_vendors_service_is_asked_where_there_is_nothing_else() {
        assert_eq!(choose(None, true, &[]).as_deref(), Ok("stock camera: stock"));
        assert_eq!(choose(None, false, &[]), Err(NoCamera::Empty));
        // The vendor's firmware lists it, too.
        for url in [
            STOCK_PATH,
            "http://printer/server/files/camera/monitor.jpg?t=1",
            "http://printer:7125/server/files/camera/monitor.jpg",
        ] {
            assert_eq!(choose(None, true, &[webcam("case", url, "")]).as_deref(), Ok("case: stock"), "{url}");
        }
        let other = "http://other/server/files/camera/monitor.jpg";
        assert_eq!(choose(None, true, &[webcam("x", other, "")]), Ok(format!("x: {other}")));
        let unasked = choose(None, false, &[webcam("x", STOCK_PATH, "")]);
        assert_eq!(unasked, Ok(format!("x: http://printer{STOCK_PATH}")));
    }

    #[test]
    fn it_is_turned_as_its_entry_says() {
        let (web, moonraker) = (String::new(), String::new());
        let choice = Choice { wanted: None, web, moonraker, stock: false };
        let turned = Webcam { rotation: 90, flip_vertical: true, ..webcam("a", "http://a", "") };
        assert_eq!(choice.of(&[turned]).unwrap().orientation, Orientation::of(90, false, true));
    }
}
