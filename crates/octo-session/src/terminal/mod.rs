//! A shell over a WebSocket, in the protocol of ttyd; the shell outlives the connection.
