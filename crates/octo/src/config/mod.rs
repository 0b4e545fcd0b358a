//! Settings: defaults, the file, the environment, the command line; in this order.

pub mod schema;
pub mod secret;

pub use schema::Config;
