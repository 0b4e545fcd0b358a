//! What happens to every request before its handler, and to every answer after it; one file each. [`crate::server::router`]
//! puts them in their order.

pub mod audit;
pub mod body;
pub mod cors;
pub mod ending;
pub mod peer;
pub mod request_id;
