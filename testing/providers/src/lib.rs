//! Recording APNs and FCM servers on loopback.
