//! What makes an image worth trusting: signatures, bills of materials, licences, provenance, builds without network.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected shall stop"
)]

mod bed;
mod crates;
mod offline;
mod provenance;
mod sbom;
mod signing;
