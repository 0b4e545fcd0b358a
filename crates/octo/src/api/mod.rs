//! The HTTP API under `/api`: JSON in, JSON out, described by its own OpenAPI document.

pub mod error;
