//! The built image boots, and does on the booted printer what it promises.
//!
//! Each test has a printer of its own in QEMU; those that print have a bed of their own on the host. What is checked
//! is what the owner gets: messages at Telegram's side, processes, packets, and what the init script says.

mod broken;
mod clock;
mod identity;
mod inodes;
mod life;
mod off;
mod page;
mod power;
mod prints;
mod spliced;
