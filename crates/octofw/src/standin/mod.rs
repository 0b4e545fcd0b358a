//! A base image without vendor code, for tests and for building without a stock firmware.

pub mod container;
mod device_tree;
mod noise;
