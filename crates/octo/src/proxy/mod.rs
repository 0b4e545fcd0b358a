//! What goes between a browser and the services of a session.
