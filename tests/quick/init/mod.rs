//! What is baked into the printer beside the program: the init script, the launcher, the switches and the install
//! step, run for real under `busybox ash` and `dash` with real processes. What needs a booted printer (rcS, the
//! drop to `lava` on the real root) is the boot test's.

mod defects;
mod install;
mod launcher;
mod mainsail_link;
mod privileges;
mod rig;
mod shipped;
mod start;
mod status;
mod stop;
mod switch;
