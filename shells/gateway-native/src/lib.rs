//! Native TCP, TLS and WebSocket front doors.
