//! The HTTP API, the console page and the WebSocket port.
