//! The REST server: what the printer does, its camera's picture and the bridges' states, for programs on the network; and
//! the set-up page for people ([`page`]), which alone changes something, under rules of its own.
//!
//! All else only reads, and sees the rest of the program through one [`View`]. Whoever reaches the port may read all of it:
//! there is no login, and nothing here is a secret. The `Host` of a request is not compared with anything. On a
//! printer the port is open to programs of the printer alone, where no browser runs that a foreign page could turn
//! against it; where the port is opened, the names under which it is reached are not known here, and a reverse
//! proxy that asks for a login is what keeps strangers out.

mod answer;
mod connection;
mod image;
mod metrics;
pub mod page;
mod routes;
mod server;
mod stamp;
mod view;

pub use routes::PATHS;
pub use server::{bind, serve};
pub use view::{Ages, BridgeRow, FetchPicture, Picture, Service, Status, View};
