//! A bounded queue on disk: what must reach a service although the network, the process or the power fails.
//! Never looks into the messages it keeps.
