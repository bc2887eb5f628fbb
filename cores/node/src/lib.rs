//! One node: lanes and pushes joined, without I/O.
