//! Both halves of nothing but the server's end of one connection, without I/O.
