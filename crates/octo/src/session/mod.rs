//! What a session is: its row, its states, and the rules about them. Pure.
//!
//! Not here: carrying the rules out ([`crate::lifecycle`]), keeping rows ([`crate::store`]).

pub mod checks;
pub mod idle;
pub mod limits;
pub mod names;
pub mod ports;
pub mod reconcile;
pub mod state;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub use state::State;

/// A session as it is kept, and as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Its name for programs.
    #[schema(value_type = String, format = "uuid")]
    pub id: Uuid,
    /// Its name for people, as `cold-lamp`.
    pub readable_id: String,
    /// Whose it is.
    pub user_id: String,
    /// Where it is in its life.
    pub status: State,
    /// Why it failed, in words.
    pub error_message: Option<String>,
    /// The container, once there is one: the runtime's full id.
    pub container_id: Option<String>,
    /// The container's name.
    pub container_name: String,
    /// Folder on the host that is the workspace in the container.
    pub workspace_path: String,
    /// The image by the name that was asked for.
    pub image: String,
    /// The image's id at the time that the container was made.
    pub image_digest: Option<String>,
    /// Host port of the agent server.
    pub opencode_port: u16,
    /// Host port of the file server.
    pub fileserver_port: u16,
    /// Host port of the terminal server.
    pub ttyd_port: u16,
    /// Name of an agent's profile, given at creation.
    pub agent: Option<String>,
    /// What its user asked for of the machine, given at creation.
    pub limits: limits::Asked,
    /// When the session was made.
    #[schema(value_type = String, format = "date-time")]
    pub created_at: Timestamp,
    /// When it last became running.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub started_at: Option<Timestamp>,
    /// When it last stopped or failed.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub stopped_at: Option<Timestamp>,
    /// When somebody or something last used it.
    #[schema(value_type = Option<String>, format = "date-time")]
    pub last_activity_at: Option<Timestamp>,
}

/// The services inside a session's container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Any agent server that speaks as opencode does. Optional.
    Opencode,
    /// The workspace over HTTP.
    Files,
    /// A shell over a WebSocket, in ttyd's protocol.
    Terminal,
}

impl Service {
    /// All of them, in the order of their ports.
    pub const ALL: [Self; 3] = [Self::Opencode, Self::Files, Self::Terminal];

    /// The port inside the container.
    #[must_use]
    pub const fn inner_port(self) -> u16 {
        match self {
            Self::Opencode => 41820,
            Self::Files => 41821,
            Self::Terminal => 41822,
        }
    }
}

impl Session {
    /// The host port of one of its services.
    #[must_use]
    pub const fn port(&self, service: Service) -> u16 {
        match service {
            Service::Opencode => self.opencode_port,
            Service::Files => self.fileserver_port,
            Service::Terminal => self.ttyd_port,
        }
    }
}
