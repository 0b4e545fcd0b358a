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
    /// The vendor's service: it must be asked for pictures first, then there is one at [`STOCK_PATH`].
    Stock,
}

/// The camera to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) name: Arc<str>,
    pub(super) source: Source,
    pub(super) orientation: Orientation,
}

/// How to choose.
#[derive(Debug, Clone)]
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
            let stock = Chosen { name: STOCK_NAME.into(), source: Source::Stock, orientation };
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
                let source = if self.is_stock(&address) { Source::Stock } else { Source::Url(address) };
                return Ok(Chosen { name: Arc::clone(&webcam.name), source, orientation: turned });
            }
        }
        Err(NoCamera::NoAddress)
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
