//! The labels by which a container is known to be ours. Names decide nothing: other programs may use them too.

/// `true` on everything that octo makes.
pub const MANAGED: &str = "octo.managed";
/// The installation, as its database names it.
pub const INSTANCE: &str = "octo.instance";
/// The session's id.
pub const SESSION: &str = "octo.session";
/// The owner's id.
pub const USER: &str = "octo.user";
/// The id of the image at the time that the container was made.
pub const IMAGE: &str = "octo.image-id";
