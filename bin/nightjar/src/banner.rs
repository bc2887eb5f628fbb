//! What a newcomer sees first.

use std::net::SocketAddr;

/// Says where the server is and what to try.
pub(crate) fn print(http: Option<SocketAddr>, native: Option<SocketAddr>, admin_key: &str) {
    println!();
    println!("  Nightjar, development mode: loopback only, every user gets a token,");
    println!("  pushes are caught instead of sent. Not for other machines.");
    println!();
    if let Some(http) = http {
        println!("  console    http://{http}/");
        println!("  admin key  {admin_key}");
        if let Some(native) = native {
            println!("  native     {native}");
        }
        println!();
        println!("  Open the console in two tabs, sign in as alice and as bob. Or try:");
        println!();
        println!(
            "  curl -s http://{http}/v1/messages -H 'Authorization: Bearer {admin_key}' \
             -H 'Content-Type: application/json' \
             -d '{{\"from\":\"alice\",\"to\":{{\"user\":\"bob\"}},\
             \"content\":{{\"type\":\"text\",\"text\":\"hello\"}}}}'"
        );
    }
    println!();
}
