//! The outbox as a whole, against a plain model, on disks that fail and lose power.

mod crash;
mod disk;
mod files;
mod model;
mod power;
mod writes;
