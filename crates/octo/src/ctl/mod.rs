//! `octoctl`: the operator's program, a client of the API.
