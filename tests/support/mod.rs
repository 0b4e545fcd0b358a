//! The other side of the tests: strict stand-ins for services that cannot be had, and the real peers that can.
#![allow(dead_code, reason = "each test program uses the part it needs")]

pub(crate) mod bed;
pub(crate) mod browser;
pub(crate) mod camera;
pub(crate) mod cipher;
pub(crate) mod commanded;
pub(crate) mod ending;
pub(crate) mod engine;
pub(crate) mod feed;
pub(crate) mod forward;
pub(crate) mod http;
pub(crate) mod kills;
pub(crate) mod leap;
pub(crate) mod listening;
pub(crate) mod nginx;
pub(crate) mod openrouter;
pub(crate) mod pcap;
pub(crate) mod phones;
pub(crate) mod ports;
pub(crate) mod printer;
pub(crate) mod program;
pub(crate) mod programs;
pub(crate) mod prusa_connect;
pub(crate) mod push_service;
pub(crate) mod rest;
pub(crate) mod siege;
pub(crate) mod tap;
pub(crate) mod telegram;
pub(crate) mod virtual_time;
pub(crate) mod visitor;
pub(crate) mod wait;
pub(crate) mod watcher;
