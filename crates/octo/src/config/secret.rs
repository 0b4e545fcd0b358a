//! Text that must not be shown.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// What stands in place of one.
const MASK: &str = "***";

/// A secret. Shown and written as `***`, or as `env:NAME` where it only says where it is; [`Self::reveal`] gives it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Of this text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for those who need it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The variable that holds the secret, where this is `env:NAME`: no secret itself.
    #[must_use]
    pub fn variable(&self) -> Option<&str> {
        self.0
            .strip_prefix("env:")
            .filter(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.variable() {
            Some(_) => serializer.serialize_str(&self.0),
            None => serializer.serialize_str(MASK),
        }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}
