//! Certificates that are renewed while the server runs.

use std::path::Path;
use std::time::{Duration, SystemTime};

use nightjar_access::Certificate;
use tokio::signal::unix::{SignalKind, signal};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Reads certificates again on SIGHUP, and when their files change. Files that do not go together
/// are said so in the log, and what was served goes on to be.
pub(crate) async fn keep_fresh(certificates: Vec<Certificate>) -> std::io::Result<()> {
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut stamps: Vec<_> = certificates.iter().map(stamps_of).collect();
    loop {
        let is_asked = tokio::select! {
            _ = hang_up.recv() => true,
            () = tokio::time::sleep(LOOK_EVERY) => false,
        };
        for (certificate, stamps) in certificates.iter().zip(&mut stamps) {
            let now = stamps_of(certificate);
            if is_asked || now != *stamps {
                *stamps = now;
                reload(certificate);
            }
        }
    }
}

fn reload(certificate: &Certificate) {
    let file = certificate.files()[0].display();
    match certificate.reload() {
        Ok(()) => tracing::info!(%file, "the certificate was read again"),
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::error!(%file, error, "the certificate could not be read; the old one stays");
        }
    }
}

/// What changes when a file does.
fn stamps_of(certificate: &Certificate) -> [Option<(SystemTime, u64)>; 2] {
    let of = |file: &Path| {
        let about = std::fs::metadata(file).ok()?;
        Some((about.modified().ok()?, about.len()))
    };
    certificate.files().map(of)
}
