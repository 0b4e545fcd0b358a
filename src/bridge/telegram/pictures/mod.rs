//! Pictures of the job. [`photos`] are for the chat, in the course of a job and of [`occasions`]; those of [`inspector`]
//! are shown to a model. Both bring a [`wish`] to the [`desk`]; [`studio`] is the thread that waits for what is wished,
//! and [`diary`] what must outlive the program.

mod desk;
mod diary;
mod inspector;
mod occasions;
mod photos;
mod studio;
mod wish;

pub(super) use desk::Desk;
pub(super) use diary::Diary;
pub(super) use inspector::Inspector;
pub(super) use photos::Photos;
pub(super) use studio::{Studio, read_checks};
pub(super) use wish::{Want, look};
