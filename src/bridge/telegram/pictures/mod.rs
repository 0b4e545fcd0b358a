//! Pictures of the job: those for the chat ([`photos`]), those that a model is shown ([`inspector`]), the thread that
//! waits for both ([`studio`]), and what must outlive the program of them ([`diary`]).

mod diary;
mod inspector;
mod photos;
mod studio;

pub(super) use diary::Diary;
pub(super) use inspector::Inspector;
pub(super) use photos::Photos;
pub(super) use studio::{Desk, Studio, Want, look};
