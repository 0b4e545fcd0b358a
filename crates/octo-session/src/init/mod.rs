//! The first process of the container: starts the services, keeps them, ends them.
