//! Writes the corpus: `cargo run -p nightjar-wire --example corpus`.
//!
//! Each packet of `tests/packets/samples.rs` becomes two files under `tests/corpus`: its bytes as hexadecimal
//! text, the header on a line of its own, and its JSON form. A file that exists is left alone: what
//! a released version wrote must stay readable, so files are added and never changed.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "it writes files")]

#[allow(dead_code, reason = "who reads a sample matters to the tests only")]
#[path = "../tests/packets/samples.rs"]
mod samples;

use std::path::Path;

use nightjar_wire::HEADER_BYTES;

fn main() -> std::io::Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    std::fs::create_dir_all(&directory)?;
    for sample in samples::all() {
        let bytes = sample.packet.to_bytes();
        let (header, body) = bytes.split_at(HEADER_BYTES);
        let lines = [header].into_iter().chain(body.chunks(32)).map(hex);
        let lines: String = lines.map(|line| line + "\n").collect();
        write_new(&directory.join(format!("{}.hex", sample.name)), &lines)?;
        let json = sample.packet.to_json() + "\n";
        write_new(&directory.join(format!("{}.json", sample.name)), &json)?;
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write_new(file: &Path, text: &str) -> std::io::Result<()> {
    if file.exists() { Ok(()) } else { std::fs::write(file, text) }
}
