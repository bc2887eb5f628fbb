//! What a login may be bound to (RFC 9266, RFC 5929).

use nightjar_model::Secret;
use nightjar_xmpp_session::Bindings;
use ring::digest::{SHA256, digest};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ProtocolVersion, ServerConnection};

/// The exporter's label (RFC 9266 §2).
const EXPORTER: &[u8] = b"EXPORTER-Channel-Binding";

/// The bindings of a connection whose handshake is done. `certificate` is the one it was made with.
pub(crate) fn of(connection: &ServerConnection, certificate: &CertificateDer<'_>) -> Bindings {
    let is_safe = connection.protocol_version() == Some(ProtocolVersion::TLSv1_3);
    let exported = connection.export_keying_material(vec![0; 32], EXPORTER, Some(b""));
    Bindings {
        exporter: exported.ok().filter(|_| is_safe).map(Secret::new),
        // Certificates signed with a longer hash are bound with that; ours say SHA-256 or less.
        end_point: Some(digest(&SHA256, certificate).as_ref().to_vec()),
    }
}
