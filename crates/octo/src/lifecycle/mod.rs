//! What sessions do: created, stopped, resumed, upgraded, deleted, reconciled with the runtime.
