//! The bridges: one folder per service. A bridge knows events and its own wire format; never Moonraker's JSON,
//! never another bridge.
