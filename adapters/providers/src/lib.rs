//! Push providers, one file each.
